"""Who gets which tier: fixed, by difficulty, at random with the same mix, by an oracle. Pure arrays, no I/O.

`quality` is float64 [U,T]: what every user's list is worth at every tier, cheapest tier first. `cost` is float64 [T]:
what a request at that tier costs, the same for every user. A step is the index of a tier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.metrics import F32, F64, Interval

Steps = NDArray[np.intp]
NOBODY = -1.0  # a threshold below every difficulty


@dataclass(frozen=True)
class Allocation:
    """What one way to spend is worth: expected quality per user [U], mean cost, share of users at every tier [T]."""

    name: str
    per_user: F64
    cost: float
    shares: F64

    @property
    def quality(self) -> float:
        return float(self.per_user.mean())


def fixed(name: str, quality: F64, cost: F64, tier: int) -> Allocation:
    """Everybody at one tier."""
    shares = np.zeros(len(cost))
    shares[tier] = 1.0
    return Allocation(name, quality[:, tier], float(cost[tier]), shares)


def spend(name: str, quality: F64, cost: F64, steps: Steps) -> Allocation:
    """Every user at a tier of their own: steps int [U]."""
    shares = np.bincount(steps, minlength=len(cost)) / len(steps)
    return Allocation(name, quality[np.arange(len(steps)), steps], float(shares @ cost), shares)


def by_difficulty(difficulty: F32, thresholds: Sequence[float]) -> Steps:
    """[U]: at most thresholds[i] needs no more than tier i; beyond the last, or not a number, the last tier.

    The rule of `service.budget.controller`.
    """
    below = difficulty[:, None] <= np.asarray(thresholds, np.float64)[None, :]
    steps: Steps = (~below).sum(1)
    return steps


def at_random(quality: F64, cost: F64, shares: F64) -> Allocation:
    """Tiers drawn by lot with these shares: the expectation over all draws, user by user."""
    return Allocation("random, same mix", quality @ shares, float(shares @ cost), shares)


def mixture(name: str, quality: F64, cost: F64, spent: float) -> Allocation:
    """The best that a lottery over fixed tiers, the same for everybody, makes of a mean cost of `spent`."""
    best: tuple[float, F64] | None = None
    mean = quality.mean(0)
    for low in range(len(cost)):
        for high in range(len(cost)):
            shares = _lottery(cost, low, high, spent)
            if shares is not None and (best is None or mean @ shares > best[0]):
                best = float(mean @ shares), shares
    if best is None:
        raise ValueError(f"no mixture of these tiers costs {spent:g}")
    return Allocation(name, quality @ best[1], float(best[1] @ cost), best[1])


def _lottery(cost: F64, low: int, high: int, spent: float) -> F64 | None:
    """Shares of two tiers that cost `spent` on average, or all at `low` where that is cheaper."""
    shares = np.zeros(len(cost))
    if low == high:
        shares[low] = 1.0
        return shares if cost[low] <= spent else None
    if not cost[low] <= spent <= cost[high] or cost[low] == cost[high]:
        return None
    shares[high] = (spent - cost[low]) / (cost[high] - cost[low])
    shares[low] = 1.0 - shares[high]
    return shares


def oracle(quality: F64, cost: F64, spent: float = np.inf) -> Steps:
    """[U]: the tiers that someone who knows every target would choose, for a mean cost of at most `spent`.

    The price of a unit of cost is raised until the budget holds; with no budget everybody gets the cheapest of their
    best tiers.
    """
    low, high = 0.0, 0.0
    steps = _priced(quality, cost, 1e-12)
    if cost[steps].mean() <= spent:
        return steps
    high = float(quality.max() / max(np.diff(np.unique(cost)).min(initial=np.inf), 1e-9))
    for _ in range(60):
        middle = (low + high) / 2
        steps = _priced(quality, cost, middle)
        low, high = (low, middle) if cost[steps].mean() <= spent else (middle, high)
    return _priced(quality, cost, high)


def _priced(quality: F64, cost: F64, price: float) -> Steps:
    steps: Steps = np.argmax(quality - price * cost, axis=1)
    return steps


def thresholds(difficulty: F32, quality: F64, cost: F64, price: float, bins: int = 100) -> tuple[float, ...]:
    """The T - 1 thresholds that make most of quality - price · cost on these users; exact over all values, or over
    `bins` quantiles where there are more.

    A tier that nobody gets repeats the threshold before it (NOBODY at the front).
    """
    edges = np.unique(difficulty)
    if len(edges) > bins:
        edges = np.unique(np.quantile(difficulty, np.linspace(0, 1, bins + 1)[1:], method="higher"))
    place = np.searchsorted(edges, difficulty, side="left")
    worth = np.zeros((len(edges), len(cost)))
    np.add.at(worth, place, quality - price * cost)
    step = _ascent(worth)
    last = [int((step <= tier).sum()) - 1 for tier in range(len(cost) - 1)]
    return tuple(float(edges[bin_]) if bin_ >= 0 else NOBODY for bin_ in last)


def _ascent(worth: F64) -> Steps:
    """[bins] the never-falling walk over tiers of greatest total worth [bins,T]."""
    total, came = worth[0].copy(), np.zeros(worth.shape, np.intp)
    for number, here in enumerate(worth[1:], 1):
        best = np.maximum.accumulate(total)
        # The first tier that reaches the running maximum is where the walk came from.
        came[number] = [int(np.argmax(total[: tier + 1])) for tier in range(len(here))]
        total = best + here
    step = np.zeros(len(worth), np.intp)
    step[-1] = int(np.argmax(total))
    for number in range(len(worth) - 1, 0, -1):
        step[number - 1] = came[number, step[number]]
    return step


def difference(a: Allocation, b: Allocation, seed: int = 0) -> Interval:
    """Paired bootstrap over users of a's quality minus b's."""
    return metrics.paired_bootstrap(a.per_user, b.per_user, seed)
