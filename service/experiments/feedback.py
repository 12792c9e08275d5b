"""Feedback: what a user did with a recommended item, counted once per request, item and event."""

import math
import time
from collections.abc import Callable
from hashlib import blake2b

from service.cache.remote import Remote, RemoteError
from service.experiments.events import EventLog
from service.experiments.seen import Seen
from service.experiments.tokens import Token

KEY_PREFIX = "promise:f:"
LIMIT = 100_000  # keys remembered in this process, some 15 MB


class Feedback:
    """Writes feedback events to `log`; duplicates are found in Redis where there is one, else among the latest here.

    `window_s` is the life of a token, `clock` gives seconds since the epoch. Without an answer from Redis a duplicate
    that another replica took is counted again.
    """

    def __init__(
        self,
        log: EventLog,
        remote: Remote | None,
        window_s: float,
        limit: int = LIMIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._remote = remote
        self._window_s = window_s
        self._seen = Seen(limit)
        self._clock = clock

    async def record(self, token: Token, item_id: str, event: str) -> bool:
        """Write one event (impression, click, cart, purchase or skip); False if it was there before. Never raises."""
        key = _key(token.request_id, item_id, event)
        if not self._seen.is_new(key) or not await self._is_new_everywhere(key, token):
            return False
        self._log.write(
            {
                "type": "feedback",
                "time": self._clock(),
                "request_id": token.request_id,
                "unit": token.unit,
                "assignments": token.assignments,
                "tier": token.tier,
                "item_id": item_id,
                "event": event,
            }
        )
        return True

    async def _is_new_everywhere(self, key: bytes, token: Token) -> bool:
        if self._remote is None:
            return True
        left_s = token.time + self._window_s - self._clock()  # afterwards the token is refused anyway
        name = f"{KEY_PREFIX}{key.hex()}"
        try:
            return await self._remote.execute("SET", name, 1, "NX", "EX", max(1, math.ceil(left_s))) is not None
        except RemoteError:
            return True


def _key(*parts: str) -> bytes:
    """A digest of the parts, each behind its length so that no two lists of parts look alike."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()
