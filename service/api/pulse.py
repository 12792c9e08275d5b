"""The beat of the event loop."""

import asyncio
import time
from collections.abc import Callable

BEAT_S = 0.005
QUIET_S = 0.05  # between beats while nobody asks: an idle process should cost its neighbours nothing
QUIET_AFTER_S = 0.5
HEAVY_S = 0.05  # behind by so much at every beat for
LONG_S = 0.5  # so long, the loop drowns: one stall alone is none of its callers' doing


class Pulse:
    """A beat of the event loop; how late it comes is how long new work waits."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._due = float("inf")
        self._late_s = 0.0
        self._asked = float("-inf")
        self._light = clock()

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            now = self._clock()
            busy = now - self._asked < QUIET_AFTER_S or self._late_s > BEAT_S
            pause = BEAT_S if busy else QUIET_S
            self._due = now + pause
            await asyncio.sleep(pause)
            self._late_s = (now := self._clock()) - self._due
            if self._late_s < HEAVY_S:
                self._light = now

    @property
    def behind_s(self) -> float:
        """How late the last beat came, or how overdue the next one is; never negative."""
        self._asked = now = self._clock()
        return max(0.0, self._late_s, now - self._due)

    @property
    def drowning(self) -> bool:
        """Whether the loop has been far behind for a while."""
        return self.behind_s > HEAVY_S and self._asked - self._light > LONG_S
