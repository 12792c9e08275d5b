"""Evaluation drives the service's own search and engine: there is one search, online and offline."""

from models.evaluation.choosing import Trial, choose_walk, trials
from models.evaluation.offered import DEFAULT_TIER, methods_of, tier
from models.evaluation.ranking import (
    Method,
    choose_rule,
    evaluate_engine,
    guided,
    methods_default,
    open_engine,
    rule_of,
)
from models.evaluation.tiers import difficulties, run_tiers
from models.full_ranking import evaluate_scores, popularity
from models.results import Errors, Result, compare, errors, load, save

__all__ = [
    "DEFAULT_TIER",
    "Errors",
    "Method",
    "Result",
    "Trial",
    "choose_rule",
    "choose_walk",
    "compare",
    "difficulties",
    "errors",
    "evaluate_engine",
    "evaluate_scores",
    "guided",
    "load",
    "methods_default",
    "methods_of",
    "open_engine",
    "popularity",
    "rule_of",
    "run_tiers",
    "save",
    "tier",
    "trials",
]
