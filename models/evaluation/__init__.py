"""Evaluation drives the service's own search and engine: there is one search, online and offline."""

from models.evaluation.ranking import (
    Method,
    choose_rule,
    evaluate_engine,
    guided,
    methods_default,
    open_engine,
    rule_of,
)
from models.full_ranking import evaluate_scores, popularity
from models.results import Errors, Result, compare, errors, load, save

__all__ = [
    "Errors",
    "Method",
    "Result",
    "choose_rule",
    "compare",
    "errors",
    "evaluate_engine",
    "evaluate_scores",
    "guided",
    "load",
    "methods_default",
    "open_engine",
    "popularity",
    "rule_of",
    "save",
]
