"""How large a batch may be and how long it waits for company; pure, told the time. Used from the device thread."""

WAITS = 0.25  # of the last batch's run time: waiting longer costs more than a fuller batch brings
LEAST = 0.5  # of the size that one slow batch leaves: it may have been one slow request
FORGET_S = 0.05  # without a batch for so long, the device counts as idle


class Pace:
    """At most `limit` jobs a batch, fewer while a batch takes longer than `ceiling_s`; at most `wait_s` of patience.

    The size falls by the overshoot at once and grows by one job a full batch: a batch that is too long delays
    everyone in it, one that is too short only costs a little throughput.
    """

    def __init__(self, limit: int, wait_s: float, ceiling_s: float) -> None:
        self.limit, self.wait_s, self.ceiling_s = limit, wait_s, ceiling_s
        self._size = float(limit)
        self._expected = 1.0
        self._last_s = 0.0
        self._ended = float("-inf")

    @property
    def size(self) -> int:
        """Most jobs in the next batch."""
        return max(1, int(self._size))

    def patience(self, queued: int, began: float, now: float) -> float:
        """Seconds to wait on for more jobs, given how many are queued and when the wait began; 0 = go."""
        wanted = min(self._expected, self.size)
        if queued >= wanted or now - self._ended > FORGET_S:
            return 0.0
        return max(0.0, began + min(self.wait_s, WAITS * self._last_s) - now)

    def ran(self, size: int, seconds: float, now: float) -> None:
        """A batch of this size took so long and ended just now."""
        self._last_s, self._ended = seconds, now
        self._expected = max(float(size), 0.5 * (self._expected + size))
        if seconds > self.ceiling_s and size > 1:  # one alone says what it costs, nothing about company
            self._size = max(1.0, min(self._size, size) * max(LEAST, self.ceiling_s / seconds))
        elif size >= self.size:
            self._size = min(float(self.limit), self._size + 1.0)
