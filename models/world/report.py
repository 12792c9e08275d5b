"""What a world's bundle finds: held-out items, and how much of the exact scan's top list each tier keeps."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import evaluation
from models.dataset import Dataset
from models.evaluation.overlap import overlaps

TIERS = {"k10": (10, 40), "k20": (20, 80), "k50": (50, 200), "k200": (200, 800)}
DEFAULT = "k50"
USERS = 2000


@dataclass(frozen=True)
class Row:
    """One method: recall and NDCG at 10 of the held-out item, ms a request (median, encoding included).

    overlap: mean share of the scan's top 10 in the method's; survived: the same of their prefixes, depth by depth;
    error: standard error of the overlap's mean. The scan itself has none of these.
    """

    method: str
    recall: float
    ndcg: float
    ms: float
    overlap: float | None = None
    error: float | None = None
    survived: tuple[float, ...] = ()


def judge(bundle: Path, dataset: Dataset, users: int = USERS, timed: int = 50, seed: int = 0) -> list[Row]:
    """A seeded sample of users, each tier and the exact scan; the items of a history excluded."""
    engine, test = evaluation.open_engine(bundle), dataset.split("B").test
    chosen = np.random.default_rng(seed).permutation(len(test.targets))[:users]
    histories, targets = [test.histories[user] for user in chosen], test.targets[chosen]
    rule = evaluation.rule_of(engine.bundle.manifest.scoring)
    methods = [evaluation.Method("exact", None)]
    methods += [
        evaluation.Method(name, evaluation.guided(engine.depth, *widths, rule).plan) for name, widths in TIERS.items()
    ]
    common = (engine, engine.trie, engine.bundle.catalogue.sids, histories, targets, methods)
    results = evaluation.evaluate_engine(*common, batch=8, history_limit=engine.history_limit, timed=timed)
    rows = {r.method: Row(r.method, r.recall(10), r.ndcg(10), float(np.median(r.ms))) for r in results}
    for found in overlaps(*common, history_limit=engine.history_limit):
        row, spread = rows[found.name], float(found.kept.std() / np.sqrt(len(targets)))
        survived = tuple(map(float, found.survived.mean(0)))
        rows[found.name] = Row(row.method, row.recall, row.ndcg, row.ms, float(found.kept.mean()), spread, survived)
    return list(rows.values())


def lines(rows: list[Row]) -> list[str]:
    """A table for people."""
    head = f"{'method':8} {'recall@10':>9} {'ndcg@10':>8} {'ms':>7}  top 10 of the scan kept (and its prefixes)"
    return [head, *map(_line, rows)]


def _line(row: Row) -> str:
    figures = f"{row.method:8} {row.recall:9.4f} {row.ndcg:8.4f} {row.ms:7.2f}"
    if row.overlap is None:
        return figures
    depths = " ".join(f"{share:.4f}" for share in row.survived)
    return f"{figures}  {row.overlap:.4f} ± {row.error:.4f} ({depths})"


def as_json(rows: list[Row]) -> str:
    return json.dumps([vars(row) for row in rows], indent=1)


def metrics(rows: list[Row]) -> dict[str, float]:
    """What the manifest says of it."""
    found = {f"test {row.method} recall@10": round(row.recall, 5) for row in rows}
    found |= {f"test {row.method} ndcg@10": round(row.ndcg, 5) for row in rows}
    return found | {f"{row.method} overlap@10": round(row.overlap, 5) for row in rows if row.overlap is not None}
