"""How far long work is, for whoever draws a bar."""

from collections.abc import Callable

# What is going on, how far it is, and where it ends.
Advance = Callable[[str, int, int], None]


def unwatched(what: str, done: int, total: int) -> None:
    """For callers that draw nothing."""


def counted(advance: Advance, what: str, total: int) -> Callable[[int], None]:
    """Told of so many more that are done, say of `total` how far it is."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        advance(what, done, total)

    return more
