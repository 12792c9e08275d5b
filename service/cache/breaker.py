"""When to leave Redis alone: a state machine without clock or I/O, told about every outcome."""

import random
from collections import deque
from collections.abc import Callable
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Closed: commands pass. Open: none does until a pause is over. Half-open: one probe decides.

    It opens when failures outnumber successes by `failures` within `window_s` seconds: each success takes back one
    failure, so that rare time-outs among many answers never open it. The first pause is `pause_s`; it doubles, up to
    `longest_s`, with every failed probe and when the breaker opens again within `window_s` of closing; jitter spreads
    it by a fifth either way. Times are seconds of one monotonic clock, passed in.

    `allow` and `probe` hand out tickets that count periods; an outcome with the ticket of an earlier period changes
    nothing. Commands that were in flight when the breaker opened can thus neither close it nor open it once more.
    """

    def __init__(
        self,
        failures: int = 3,
        window_s: float = 10.0,
        pause_s: float = 0.1,
        longest_s: float = 2.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.state: BreakerState = "closed"
        self.retry_at = 0.0  # when the next probe may go; means something unless closed
        self._limit, self._window_s = failures, window_s
        self._shortest_s, self._longest_s, self._jitter = pause_s, longest_s, jitter
        self._failed: deque[float] = deque()
        self._period = 1
        self._pause_s = pause_s
        self._calm_at = 0.0  # from then on an opening is a new incident: its first pause is short again

    def allow(self) -> int:
        """A ticket for one command while closed, else 0."""
        return self._period if self.state == "closed" else 0

    def probe(self, now: float) -> int:
        """A ticket for the one probe after a pause, else 0. A probe not heard of for `longest_s` counts as lost."""
        if self.state == "closed" or now < self.retry_at:
            return 0
        self.state, self._period = "half-open", self._period + 1
        self.retry_at = now + self._longest_s
        return self._period

    def success(self, ticket: int, now: float) -> None:
        """The command or probe with this ticket was answered in time."""
        if ticket != self._period:
            return
        if self.state == "half-open":
            self.state, self._period = "closed", self._period + 1
            self._calm_at = now + self._window_s
        elif self._failed:
            self._failed.popleft()

    def failure(self, ticket: int, now: float) -> None:
        """The command or probe with this ticket failed, or took too long."""
        if ticket != self._period:
            return
        if self.state == "half-open":
            self._open(now, again=True)
            return
        self._failed.append(now)
        while self._failed[0] <= now - self._window_s:
            self._failed.popleft()
        if len(self._failed) >= self._limit:
            self._open(now, again=now < self._calm_at)

    def _open(self, now: float, again: bool) -> None:
        self._pause_s = min(2 * self._pause_s, self._longest_s) if again else self._shortest_s
        self.retry_at = now + self._pause_s * (0.8 + 0.4 * self._jitter())
        self.state, self._period = "open", self._period + 1
        self._failed.clear()
