"""A bundle of a run on the users of its own split: a scoring rule from validation, figures from test."""

from pathlib import Path

import numpy as np
import torch

from models import evaluation
from models.advance import counted
from models.dataset import Split
from models.evaluation.offered import DEFAULT_TIER, tier
from models.manifest import Scoring
from models.runs import Run

SELECTION_USERS = 6000


def choose_rule(run: Run, bundle: Path, label: str, split: Split) -> Scoring:
    """The scoring rule that a sample of the validation users chooses."""
    engine = evaluation.open_engine(bundle, torch.get_num_threads())
    users = np.random.default_rng(0).permutation(len(split.validation.targets))[:SELECTION_USERS]
    histories, targets = [split.validation.histories[user] for user in users], split.validation.targets[users]
    sids, limit = engine.bundle.catalogue.sids, engine.history_limit
    progress = counted(run.advance, f"{label} validation users", len(targets))
    rule, tried = evaluation.choose_rule(
        engine, engine.trie, sids, histories, targets, history_limit=limit, progress=progress
    )
    run.log(f"{label}: validation N@10 by weights " + " ".join(f"{r.method} {r.ndcg(10):.4f}" for r in tried))
    return Scoring(leaf=rule.leaf, prefix=rule.prefix)


def on_test(run: Run, bundle: Path, label: str, split: Split) -> dict[str, float]:
    """Recall@10 and NDCG@10 of the plain beam and the default tier over all test users."""
    engine = evaluation.open_engine(bundle, torch.get_num_threads())
    rule = evaluation.rule_of(engine.bundle.manifest.scoring)
    every = [*evaluation.methods_default(engine.depth, rule=rule, exact=False), tier(engine.bundle.manifest)]
    results = evaluation.evaluate_engine(
        engine,
        engine.trie,
        engine.bundle.catalogue.sids,
        split.test.histories,
        split.test.targets,
        [method for method in every if method.name in ("beam50", "guided 50/200", DEFAULT_TIER)],
        history_limit=engine.history_limit,
        timed=0,
        progress=counted(run.advance, f"{label} test users", len(split.test.targets)),
    )
    metrics = {f"test {r.method} recall@10": round(r.recall(10), 5) for r in results}
    metrics |= {f"test {r.method} ndcg@10": round(r.ndcg(10), 5) for r in results}
    run.log(f"{label}: " + " ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return metrics
