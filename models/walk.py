"""From measured tiers to what `auto` may spend: the best fixed tier, a learned difficulty, thresholds. Pure arrays.

Everything here is chosen on validation users. The worth of a list is the NDCG the PRM expects of it where that is
known (models.spending), else the NDCG of one target a user, which is the same on average and far noisier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import allocation, metrics
from models.manifest import Learned, Walk
from models.metrics import F32, F64
from models.results import ResultsError
from models.spending import Spending

PRICES = tuple(float(price) for price in np.geomspace(1e-3, 1e2, 300))  # in units of the dearest tier's gain a cost
RIDGE = 3000.0  # on standardised columns; 300 to 10,000 give the same to three digits
WINDOW = 0.15  # share of users whose values are averaged before thresholds are laid
DIGITS = 5
# Tiers of three levels, tuned by depth on validation users: wide pools above the leaf cost little and keep much, and
# a first level of 256 prefixes needs half as many beams as the second.
TUNED = {
    "k10": ((10, 160), (10, 160), (10, 40)),
    "k20": ((20, 320), (20, 320), (20, 80)),
    "k50": ((50, 800), (50, 800), (50, 200)),
    "k100": ((50, 800), (100, 1600), (100, 400)),
    "k200": ((100, 1600), (200, 1600), (200, 800)),
    "k500": ((250, 4000), (500, 4000), (500, 2000)),
    "k1000": ((250, 4000), (1000, 8000), (1000, 4000)),
}


Widths = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Point:
    """Thresholds over all tiers up to the top one, and their mean worth and milliseconds on validation users."""

    thresholds: tuple[float, ...]
    worth: float
    cost: float


def worth(spending: Spending) -> F64:
    """[U,T] what every list is worth."""
    known = not np.isnan(spending.expected).any()
    return spending.expected.astype(np.float64) if known else spending.ndcg()


def best_fixed(spending: Spending) -> int:
    """The cheapest tier that is not surely worse than the one of highest NDCG@10 (paired 95 % interval)."""
    ndcg = spending.ndcg()
    highest = int(np.argmax(ndcg.mean(0)))
    level = (metrics.paired_bootstrap(ndcg[:, tier], ndcg[:, highest], seed=0).high >= 0 for tier in range(highest))
    return next((tier for tier, same in enumerate(level) if same), highest)


def loss(spending: Spending, top: int) -> F64:
    """[U] what narrower searches lose against `top`, summed over the tiers below that use the PRM.

    The root keeps the few users who lose much from deciding everything.
    """
    value = worth(spending)
    lost: F64 = np.sqrt(np.maximum(value[:, top : top + 1] - value[:, 1:top], 0.0)).sum(1)
    return lost


def learn(names: Sequence[str], measures: F64, shares: F64, lost: F64) -> Learned:
    """Ridge regression of `lost` [U] on measures [U,S] and on shares of first codes [U,C], spread over a logistic."""
    columns = np.concatenate([measures, shares], 1)
    mean, scale = columns.mean(0), columns.std(0)
    scale[scale < 1e-9] = np.inf  # a column that never changes says nothing
    standard = (columns - mean) / scale
    gram = standard.T @ standard + RIDGE * np.eye(len(scale))
    slope = np.linalg.solve(gram, standard.T @ (lost - lost.mean())) / scale
    # Centred and to unit spread, so that the logistic uses its middle.
    slope = slope / max(float((columns @ slope).std()), 1e-12)
    bias = -float(mean @ slope)
    rounded = [float(f"{value:.{DIGITS}g}") for value in slope]
    weights = dict(zip(names, rounded, strict=False))
    return Learned(bias=round(bias, DIGITS), weights=weights, codes=tuple(rounded[len(names) :]))


def frontier(difficulty: F32, value: F64, cost: F64, prices: Sequence[float] = PRICES) -> list[Point]:
    """The thresholds that are worth most at every price, the cheapest first; difficulty [U], value [U,T], cost [T]."""
    smooth, points = _smoothed(difficulty, value), []
    unit = float(np.ptp(value.mean(0)) / np.ptp(cost))
    for price in prices:
        limits = allocation.thresholds(difficulty, smooth, cost, price * unit)
        spent = allocation.spend("", value, cost, allocation.by_difficulty(difficulty, limits))
        points.append(Point(limits, spent.quality, spent.cost))
    return sorted(set(points), key=lambda point: point.cost)


def _smoothed(difficulty: F32, value: F64) -> F64:
    """Every user's value averaged over the WINDOW of users next in difficulty: thresholds should not follow noise."""
    order, half = np.argsort(difficulty, kind="stable"), max(int(WINDOW * len(difficulty) / 2), 1)
    total = np.concatenate([np.zeros((1, value.shape[1])), np.cumsum(value[order], axis=0)])
    place = np.arange(len(difficulty))
    first, last = np.maximum(place - half, 0), np.minimum(place + half + 1, len(difficulty))
    smooth = np.empty_like(value)
    smooth[order] = (total[last] - total[first]) / (last - first)[:, None]
    return smooth


def choose(points: Sequence[Point], budget: float) -> Point:
    """The point worth most among those that cost no more than the budget.

    Raises:
        ResultsError: none is so cheap.
    """
    cheap = [point for point in points if point.cost <= budget]
    if not cheap:
        raise ResultsError(f"no thresholds cost {budget:.3f} ms or less; the cheapest cost {points[0].cost:.3f} ms")
    return max(cheap, key=lambda point: point.worth)


def walk(tiers: Sequence[str], point: Point, signal: str, learned: Learned | None, widths: dict[str, Widths]) -> Walk:
    """What the manifest says: every tier up to the dearest one.

    Tiers that difficulty never chooses stay as steps that load and deadlines can fall back to.
    """
    limits = tuple(round(limit, 6) for limit in point.thresholds)
    return Walk(tiers=tuple(tiers), signal=signal, thresholds=limits, learned=learned, widths=widths)
