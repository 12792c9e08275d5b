"""The control: guided search at the same compute, and what a strategy gains over it, user by user."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from models.metrics import F64, Interval, paired_bootstrap
from models.results import ResultsError
from models.shelf.kept import Measured

Cost = Callable[[Measured], float]
COSTS: Mapping[str, Cost] = MappingProxyType({"FLOP": lambda found: found.flop, "ms": lambda found: found.ms})


def frontier(found: Sequence[Measured], cost: Cost) -> list[Measured]:
    """The settings that no cheaper one equals in N@10, cheapest first."""
    kept: list[Measured] = []
    for one in sorted(found, key=cost):
        if not kept or quality(one).mean() > quality(kept[-1]).mean():
            kept.append(one)
    return kept


def at(found: Sequence[Measured], spent: float, cost: Cost) -> F64:
    """N@10 [U] of guided search at this cost: between two settings of its frontier a lot decides which a request runs.

    That costs and gives exactly what lies between. The frontier is that of the very users judged, which flatters the
    control. Below the cheapest it is the cheapest, which flatters it more; beyond the dearest it is the dearest.

    Raises:
        ResultsError: nothing was measured.
    """
    points = frontier(found, cost)
    if not points:
        raise ResultsError("there is no guided search to compare with")
    right = int(np.clip(np.searchsorted([cost(one) for one in points], spent), 1, max(1, len(points) - 1)))
    below, above = points[right - 1], points[min(right, len(points) - 1)]
    span = cost(above) - cost(below)
    share = float(np.clip((spent - cost(below)) / span, 0, 1)) if span > 0 else 0.0
    between: F64 = (1 - share) * quality(below) + share * quality(above)
    return between


def gain(one: Measured, found: Sequence[Measured], cost: Cost) -> Interval:
    """N@10 of a setting less that of guided search at its cost, paired by user."""
    return paired_bootstrap(*sides(one, found, cost), seed=0)


def sides(one: Measured, found: Sequence[Measured], cost: Cost) -> tuple[F64, F64]:
    """N@10 [U] of a setting, and of guided search at its cost.

    Raises:
        ResultsError: they were measured on other users.
    """
    if any(not np.array_equal(one.result.target, other.result.target) for other in found):
        raise ResultsError(f"{one.setting.name} and guided search were not measured on the same users")
    return quality(one), at(found, cost(one), cost)


def quality(one: Measured) -> F64:
    """N@10 [U]"""
    return one.result.per_user("ndcg", 10)
