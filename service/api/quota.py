"""How often one caller may ask: a bucket of tokens for seconds, a count for the day. Times are passed in."""

import math

DAY_S = 86_400
Shown = tuple[str, str]  # an item of RateLimit-Policy and one of RateLimit, as the IETF's draft has them


class TokenBucket:
    """`burst` at once, `rate` a second on average; full at first. `now` in seconds of one monotonic clock."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate, self.burst = rate, burst
        self._level, self._at = float(burst), now

    def wait_s(self, now: float) -> float:
        """Seconds until there is a token; 0 if there is one."""
        self._fill(now)
        return max(0.0, 1 - self._level) / self.rate

    def take(self, now: float) -> None:
        """One token; below none the level does not fall."""
        self._fill(now)
        self._level = max(0.0, self._level - 1)

    def shown(self, now: float) -> Shown:
        self._fill(now)
        return _shown("second", self.burst, self.burst / self.rate, self._level, (self.burst - self._level) / self.rate)

    def _fill(self, now: float) -> None:
        self._level = min(float(self.burst), self._level + self.rate * max(0.0, now - self._at))
        self._at = max(self._at, now)


class DayCount:
    """`limit` in a day of UTC; `now` in seconds since the epoch. A clock set back goes on with the later day."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._day, self._used = 0, 0

    def wait_s(self, now: float) -> float:
        """Seconds until midnight if the day's quota is used up, else 0."""
        self._turn(now)
        return (self._day + 1) * DAY_S - now if self._used >= self.limit else 0.0

    def take(self, now: float) -> None:
        self._turn(now)
        self._used += 1

    def shown(self, now: float) -> Shown:
        self._turn(now)
        return _shown("day", self.limit, DAY_S, self.limit - self._used, (self._day + 1) * DAY_S - now)

    def _turn(self, now: float) -> None:
        if (day := int(now // DAY_S)) > self._day:
            self._day, self._used = day, 0


def _shown(name: str, quota: int, window_s: float, left: float, whole_in_s: float) -> Shown:
    """Quota and its seconds; what is left of it and the seconds until it is whole again."""
    return f'"{name}";q={quota};w={math.ceil(window_s)}', f'"{name}";r={int(left)};t={math.ceil(whole_in_s)}'
