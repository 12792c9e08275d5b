"""How the window of newest items moves over a growing history, and how often an encoding can then be extended.

Positions count from the oldest item read. Once a history is longer than the limit and the window slides by one, every
item changes its place with every event, and nothing that was kept fits. A window that drops a whole block when it is
full keeps its oldest item for as many events as the block has.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Visit:
    """The items read [begin, end) of a history; the newest `new` are to be encoded, all of them where it is None."""

    begin: int
    end: int
    new: int | None


def begin(length: int, limit: int, block: int) -> int:
    """The first item read of a history of this length: as many whole blocks are dropped as bring it to the limit."""
    return -(-max(0, length - limit) // block) * block


def visits(lengths: Iterator[int], limit: int, block: int) -> Iterator[Visit]:
    """What must be encoded as the history grows to these lengths; before the first of them it is all cached."""
    last = next(lengths)
    for length in lengths:
        first = begin(length, limit, block)
        same = first == begin(last, limit, block)
        yield Visit(first, length, length - last if same else None)
        last = length


def cycle(limit: int, block: int) -> Iterator[Visit]:
    """The visits of a user at the limit, one event each, until the window is as full again as it was."""
    return visits(iter(range(limit, limit + block + 1)), limit, block)


def extended(limit: int, block: int) -> float:
    """The share of such a user's visits at which the cached encoding can be extended."""
    seen = list(cycle(limit, block))
    return sum(visit.new is not None for visit in seen) / len(seen)
