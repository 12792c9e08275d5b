"""Admission by try-acquire: a request is let in at once or refused at once, never parked."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from service.errors import OverloadedError

Reason = Literal["concurrency", "connections", "loop", "queue"]


SOON_S = 0.001  # a loop so little behind is in time for everyone


class Admission:
    """Bounds how many requests are in the house, and how late the queue may make them. From the event loop only.

    `refused` is told why, once for each request turned away.
    """

    def __init__(
        self, limit: int, refused: Callable[[Reason], None], jitter: Callable[[], float] = random.random
    ) -> None:
        self.limit = limit
        self.active = 0
        self._refused = refused
        self._jitter = jitter

    def look(self, behind_s: float, patience_s: Callable[[], float], coming: int = 0) -> None:
        """Whether to read a request at all: the event loop is `behind_s`, the request can spare `patience_s`.

        `coming`: others that were looked at and have no place yet.

        Raises:
            OverloadedError: all places are taken, or the loop is too far behind.
        """
        if self.active + coming >= self.limit:
            raise self.taken()
        if behind_s > SOON_S and behind_s > patience_s():
            raise self.late(behind_s)

    @property
    def full(self) -> bool:
        return self.active >= self.limit

    def taken(self) -> OverloadedError:
        """What is told where all places are taken; counted."""
        return self._refusal("concurrency", f"All {self.limit} places are taken", 1.0)

    def late(self, behind_s: float) -> OverloadedError:
        """What is told where the event loop is too far behind; counted."""
        return self._refusal("loop", "More requests arrive than can be read in time", behind_s)

    def repeated(self) -> OverloadedError:
        """What is told where others already wait for the answer to the very same request; counted."""
        return self._refusal("concurrency", "Too many of the same request are waiting", 1.0)

    def crowded(self) -> OverloadedError:
        """What a connection is told for which there is no room; counted."""
        return self._refusal("connections", "More connections are open than can be served", 1.0)

    @contextmanager
    def slot(self, queue_s: Callable[[], float | None] = lambda: None) -> Iterator[None]:
        """Hold a place for the duration of the block.

        `queue_s`: None if the queue still leaves time for one more, else the seconds until it is drained.

        Raises:
            OverloadedError: all places are taken, or even the cheapest tier would come too late. Retry-After is
                jittered, so that not all come back at once.
        """
        if self.full:
            raise self.taken()
        if (drained_in := queue_s()) is not None:
            raise self._refusal("queue", "The queue is longer than the time this request has", drained_in)
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1

    def _refusal(self, reason: Reason, why: str, wait_s: float) -> OverloadedError:
        self._refused(reason)
        return OverloadedError(f"{why}; try again shortly.", max(1, math.ceil(wait_s)) + int(3 * self._jitter()))
