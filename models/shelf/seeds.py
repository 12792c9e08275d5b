"""One strategy over training seeds: every user's gain at equal compute is averaged over them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics import Interval, paired_bootstrap
from models.results import ResultsError
from models.shelf import control
from models.shelf.control import COSTS
from models.shelf.settings import GUIDED
from models.shelf.study import Shelf
from models.shelf.verdicts import find


@dataclass(frozen=True)
class Headline:
    """A setting against guided search at its cost: users averaged over the seeds, and every seed alone."""

    setting: str
    cost: str
    together: Interval
    alone: tuple[Interval, ...]


def headline(shelves: Sequence[Shelf], strategy: str, setting: str, cost: str) -> Headline:
    """Every seed against its own guided search.

    Raises:
        ResultsError: a seed was not measured, or on other users.
    """
    judged = [find(shelf, strategy, setting) for shelf in shelves]
    if any(not np.array_equal(one.result.target, judged[0].result.target) for one in judged):
        raise ResultsError("the seeds were not judged by the same users")
    pairs = [control.sides(one, shelf.of(GUIDED), COSTS[cost]) for one, shelf in zip(judged, shelves, strict=True)]
    own, rival = (np.mean(side, axis=0) for side in zip(*pairs, strict=True))
    alone = tuple(paired_bootstrap(*pair, seed=0) for pair in pairs)
    return Headline(setting, cost, paired_bootstrap(own, rival, seed=0), alone)
