"""Who asks, by API key: its name, what it may choose, and what is left of its quota in this process."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from service.api.quota import DayCount, TokenBucket
from service.errors import QuotaError

Mode = Literal["everyone", "keys", "nobody"]


@dataclass(frozen=True)
class Key:
    """One entry of the keys file. `digest`: SHA-256 of the key; `rate` a second and `per_day`: None, no limit."""

    name: str
    digest: bytes
    rate: float | None = None
    burst: int = 1
    per_day: int | None = None
    may_override: bool = False


class Caller:
    """A key in use. Every process counts by itself: behind N replicas a quota is N times what the file says.

    `clock` is monotonic, `date` since the epoch, both in seconds.
    """

    def __init__(
        self, key: Key, clock: Callable[[], float] = time.monotonic, date: Callable[[], float] = time.time
    ) -> None:
        self.key = key
        self._clock, self._date = clock, date
        self._second = None if key.rate is None else TokenBucket(key.rate, key.burst, clock())
        self._day = None if key.per_day is None else DayCount(key.per_day)

    @property
    def limited(self) -> bool:
        return self._second is not None or self._day is not None

    def spend(self) -> None:
        """Count one request, unless it is one too many.

        Raises:
            QuotaError: the quota of the second or of the day is used up; nothing is counted.
        """
        now, date = self._clock(), self._date()
        if self._second is not None and (wait_s := self._second.wait_s(now)):
            raise QuotaError(f"This API key may ask {self.key.rate:g} times a second.", math.ceil(wait_s))
        if self._day is not None and (wait_s := self._day.wait_s(date)):
            raise QuotaError(f"This API key may ask {self.key.per_day} times a day.", math.ceil(wait_s))
        if self._second is not None:
            self._second.take(now)
        if self._day is not None:
            self._day.take(date)

    def headers(self) -> Mapping[str, str]:
        """RateLimit-Policy and RateLimit, as the IETF's draft has them; none for a key without a quota."""
        parts = (
            (None if self._second is None else self._second.shown(self._clock())),
            (None if self._day is None else self._day.shown(self._date())),
        )
        shown = [part for part in parts if part is not None]
        if not shown:
            return {}
        policies, left = zip(*shown, strict=True)
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
