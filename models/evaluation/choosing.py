"""Choose what `auto` may spend, on validation users: every measure of difficulty against a learned mix of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import allocation, walk
from models.evaluation.tiers import difficulties, measures
from models.manifest import Walk
from models.metrics import F32, Interval, paired_bootstrap
from models.spending import Spending
from service.budget.difficulty import LEARNED, SIGNALS

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Trial:
    """One signal, thresholds laid on one half of the users and judged on the other, both ways.

    cost: share of the best fixed tier's; kept: share of its expected NDCG; ndcg: of the labels; against_best and
    against_random (the same mix of tiers by lot): paired differences of NDCG@10.
    """

    signal: str
    cost: float
    kept: float
    ndcg: float
    against_best: Interval
    against_random: Interval


def choose_walk(spending: Spending, signal: str, spend: float) -> Walk:
    """Thresholds worth most for at most `spend` of the best fixed tier's compute, laid on all of these users.

    Raises:
        ResultsError: no thresholds are so cheap.
    """
    top = walk.best_fixed(spending)
    _, point, how = _laid(spending, top, signal, spend, np.arange(spending.users))
    return walk.walk(spending.tiers[: top + 1], point, signal, how.learned, spending.widths)


def trials(spending: Spending, spend: float, signals: Sequence[str] = (*SIGNALS, LEARNED)) -> list[Trial]:
    """Every signal, cross-fitted by halves of these users.

    Raises:
        ResultsError: no thresholds are so cheap.
    """
    top = walk.best_fixed(spending)
    halves = np.array_split(np.random.default_rng(0).permutation(spending.users), 2)
    return [_trial(spending, top, signal, spend, halves) for signal in signals]


def _trial(spending: Spending, top: int, signal: str, spend: float, halves: list[Rows]) -> Trial:
    times, value, ndcg = spending.times, walk.worth(spending)[:, : top + 1], spending.ndcg()[:, : top + 1]
    steps = np.zeros(spending.users, np.intp)
    for here, there in (halves, halves[::-1]):
        hard, point, _ = _laid(spending, top, signal, spend, here)
        steps[there] = allocation.by_difficulty(hard[there], point.thresholds)
    auto = allocation.spend("auto", ndcg, times.auto[: top + 1], steps)
    lot = allocation.at_random(ndcg, times.auto[: top + 1], auto.shares)
    kept = value[np.arange(len(steps)), steps].mean() / value[:, top].mean()
    return Trial(
        signal,
        auto.cost / float(times.fixed[top]),
        float(kept),
        auto.quality,
        paired_bootstrap(auto.per_user, ndcg[:, top], seed=0),
        paired_bootstrap(auto.per_user, lot.per_user, seed=0),
    )


def _laid(spending: Spending, top: int, signal: str, spend: float, rows: Rows) -> tuple[F32, walk.Point, Walk]:
    """Difficulty of all users [U], the point chosen on `rows`, how difficulty is measured (as a walk of one tier)."""
    learned = None
    if signal == LEARNED:
        names, values, shares = measures(spending)
        learned = walk.learn(names, values[rows], shares[rows], walk.loss(spending, top)[rows])
    how = Walk(tiers=spending.tiers[:1], signal=signal, learned=learned)
    hard, value = difficulties(spending, how), walk.worth(spending)[:, : top + 1]
    points = walk.frontier(hard[rows], value[rows], spending.times.auto[: top + 1])
    return hard, walk.choose(points, spend * float(spending.times.fixed[top])), how
