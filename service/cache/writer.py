"""Writes to Redis in the background: no request waits for one, and a Redis that is slow loses writes, not memory."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable

from service.cache.remote import Remote, RemoteError

BATCH = 32  # most values in one round trip, and their
BATCH_BYTES = 256 * 1024  # size, past which a batch ends: it must arrive within the time-out
FLUSH_S = 0.5


class Writer:
    """A bounded queue, newest value of a key only; the oldest entry gives way. Used on one event loop.

    The counters only grow: `writes` reached Redis, `write_errors` were tried in vain and are not tried again,
    `dropped` never left: the queue was full or Redis is left alone.
    """

    def __init__(
        self, remote: Remote, ttl_s: int, limit: int = 1024, jitter: Callable[[], float] = random.random
    ) -> None:
        self.writes = self.write_errors = self.dropped = 0
        self._remote, self._ttl_s, self._limit, self._jitter = remote, ttl_s, limit, jitter
        self._queue: OrderedDict[bytes, bytes] = OrderedDict()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def put(self, key: bytes, value: bytes) -> None:
        """Write this soon, to live `ttl_s` seconds, a tenth more or less."""
        if self._closing or self._remote.breaker_state != "closed":
            self.dropped += 1
            return
        self._queue.pop(key, None)
        self._queue[key] = value
        if len(self._queue) > self._limit:
            self._queue.popitem(last=False)
            self.dropped += 1
        self._wake.set()

    def start(self) -> None:
        """Begin writing, on the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what is queued, for `FLUSH_S` seconds at most, and end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FLUSH_S)
            self._task.cancel()
            await asyncio.wait({self._task})
        self.dropped += len(self._queue)
        self._queue.clear()

    async def _run(self) -> None:
        while not self._closing or self._queue:
            if self._queue:
                await self._write(self._batch())
            else:
                self._wake.clear()
                await self._wake.wait()

    def _batch(self) -> list[tuple[bytes, bytes]]:
        batch, size = list[tuple[bytes, bytes]](), 0
        while self._queue and len(batch) < BATCH and size < BATCH_BYTES:
            batch.append(self._queue.popitem(last=False))
            size += len(batch[-1][1])
        return batch

    async def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        try:
            await self._remote.pipeline([("SET", key, value, "EX", self._life_s()) for key, value in batch])
        except (RemoteError, asyncio.CancelledError) as error:
            self.write_errors += len(batch)
            if not isinstance(error, RemoteError):
                raise
        else:
            self.writes += len(batch)

    def _life_s(self) -> int:
        """Jittered, so that what was written together does not leave together."""
        return max(1, round(self._ttl_s * (0.9 + 0.2 * self._jitter())))
