"""FLOP of what a search really did: its counts by level and length of history, times what each costs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from models.evaluation.counting import Counts
from models.scaling import flops
from models.scaling.flops import Heads, Sizes, Work


@dataclass(frozen=True)
class Spent:
    """Means over requests: FLOP by owner; prefixes expanded and children rewarded at every level."""

    work: Work
    beams: tuple[float, ...]
    rewarded: tuple[float, ...]

    @staticmethod
    def of(counts: Counts, requests: Mapping[int, int], sizes: Sizes, heads: Heads | None = None) -> "Spent":
        """`requests`: how many there were of every length of history."""
        users = sum(requests.values())
        parts = [(count, _of_length(counts, length, count, sizes, heads)) for length, count in requests.items()]
        means = {
            part.name: round(sum(count * getattr(work, part.name) for count, work in parts) / users)
            for part in fields(Work)
        }
        return Spent(Work(**means), _means(counts.beams, users), _means(counts.rewarded, users))

    def as_json(self) -> dict[str, Any]:
        """Plain fields."""
        return asdict(self)

    @staticmethod
    def read(found: Mapping[str, Any]) -> "Spent":
        """What `as_json` gave; KeyError or TypeError where it is something else."""
        return Spent(Work(**found["work"]), tuple(found["beams"]), tuple(found["rewarded"]))


def _means(counted: np.ndarray[Any, np.dtype[np.float64]], users: int) -> tuple[float, ...]:
    return tuple(float(value) for value in counted.sum(1) / users)


def _of_length(counts: Counts, length: int, requests: int, sizes: Sizes, heads: Heads | None) -> Work:
    """The mean request of this length."""
    beams, rewarded, voted, calls, corrected = (
        getattr(counts, part.name)[:, length] / requests for part in fields(Counts)
    )
    extra = heads.work(sizes.dims.width, float(calls.sum()), float(voted.sum())) if heads else 0.0
    if sizes.correction:
        extra += float(corrected.sum()) * replace(sizes.correction, pool=1).work(length)
    return flops.counted(sizes, beams.tolist(), rewarded.tolist(), length, extra)
