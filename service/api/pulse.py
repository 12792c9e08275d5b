"""The beat of the event loop."""

import asyncio
import time
from collections.abc import Callable

BEAT_S = 0.005


class Pulse:
    """A beat of the event loop; how late it comes is how long new work waits."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._due = float("inf")
        self._late_s = 0.0

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            self._due = self._clock() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._late_s = self._clock() - self._due

    @property
    def behind_s(self) -> float:
        """How late the last beat came, or how overdue the next one is; never negative."""
        return max(0.0, self._late_s, self._clock() - self._due)
