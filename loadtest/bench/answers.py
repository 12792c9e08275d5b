"""Are two answers the same? Item by item, apart from scores that are equal to within rounding."""

from collections.abc import Mapping, Sequence
from typing import Any

Answer = Mapping[str, Any]
TOLERANCE = 1e-5


def listed(answer: Answer) -> list[tuple[str, float]]:
    """Item ids and scores, best first."""
    return [(item["item_id"], float(item["score"])) for item in answer["items"]]


def same(one: Answer, other: Answer, tolerance: float = TOLERANCE) -> bool:
    """As many items, and at every place the same one, or one that `one` scores within `tolerance` of its own there.

    An item that `one` does not list is taken at the score that `other` gives it.
    """
    mine, theirs = listed(one), listed(other)
    scores, places = dict(mine), zip(mine, theirs, strict=False)
    close = all(
        item == found or abs(scores.get(found, their_score) - score) < tolerance
        for (item, score), (found, their_score) in places
    )
    return len(mine) == len(theirs) and close


def different(ones: Sequence[Answer], others: Sequence[Answer]) -> list[int]:
    """Indices of the answers that are not the same."""
    return [n for n, (one, other) in enumerate(zip(ones, others, strict=True)) if not same(one, other)]


def furthest(ones: Sequence[Answer], others: Sequence[Answer]) -> float:
    """The largest difference of two scores of one item in the same request."""
    gaps = [
        abs(score - found[item])
        for one, other in zip(ones, others, strict=True)
        for found in [dict(listed(other))]
        for item, score in listed(one)
        if item in found
    ]
    return max(gaps, default=0.0)
