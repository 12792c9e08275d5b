"""Admission by try-acquire: a request is let in at once or refused at once, never parked."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import OverloadedError


class Admission:
    """Bounds how many requests are in the house. Used from the event loop only."""

    def __init__(self, limit: int, jitter: Callable[[], float] = random.random) -> None:
        self.limit = limit
        self.active = 0
        self._jitter = jitter

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a place for the duration of the block.

        Raises:
            OverloadedError: all places are taken; come back in 1 to 3 s, jittered so that not all do so at once.
        """
        if self.active >= self.limit:
            raise OverloadedError(f"All {self.limit} places are taken; try again shortly.", 1 + int(3 * self._jitter()))
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
