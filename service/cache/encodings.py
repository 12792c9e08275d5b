"""History encodings by content: what the encoder reads and the model that read it name the value."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.cache import codec
from service.cache.memory import MemoryCache
from service.cache.remote import Remote, RemoteError
from service.cache.writer import Writer
from service.errors import CodecError

F16 = NDArray[np.float16]
I32 = NDArray[np.int32]
_SHAPE, _LITTLE = Struct("<2i"), np.dtype("<i4")
CacheResult = Literal["hit", "miss", "off", "error"]
CacheTier = Literal["memory", "redis"]


@dataclass(frozen=True)
class Looked:
    """How a look-up went: the encoding [T,D] if there was one, and the last tier asked; None when all are off."""

    memory: F16 | None
    tier: CacheTier | None
    result: CacheResult


class EncodingCache:
    """Encodings [T,D] fp16 in two tiers, either of which may be absent. A tier that fails costs time, never answers.

    `get`, `share`, `start` and `close` belong to one event loop; `peek` and `keep` to any thread. An `error` (Redis
    failing or left alone, or a value that is no encoding of this key and model) is a miss to the caller; the encoding
    shared afterwards takes the place of whatever was there.
    """

    def __init__(
        self,
        memory: MemoryCache | None,
        remote: Remote | None,
        ttl_s: int,
        queue_limit: int = 1024,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._memory, self._remote = memory, remote
        self._writer = Writer(remote, ttl_s, queue_limit, jitter) if remote else None
        self._flights: dict[bytes, asyncio.Task[Looked]] = {}

    def key(self, model: str, codes: I32, items: I32) -> bytes:
        """The Redis key: model and blake2b-128 of what the encoder reads, codes [T,d] and items [T], oldest first."""
        digest = blake2b(_SHAPE.pack(*codes.shape), digest_size=16)
        digest.update(np.ascontiguousarray(codes, _LITTLE).tobytes())
        digest.update(np.ascontiguousarray(items, _LITTLE).tobytes())
        return f"promise:h:{model}:{digest.hexdigest()}".encode()

    async def get(self, key: bytes, model: str) -> Looked:
        """Memory, then Redis; look-ups of one key at the same time share one Redis command."""
        if (found := self.peek(key, model)) is not None:
            return Looked(found, "memory", "hit")
        if self._remote is None:
            return Looked(None, None, "off") if self._memory is None else Looked(None, "memory", "miss")
        if self._remote.breaker_state != "closed":
            return Looked(None, "redis", "error")
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.get_running_loop().create_task(self._fetch(self._remote, key, model))
            flight.add_done_callback(lambda _: self._flights.pop(key))
        return await asyncio.shield(flight)  # a caller who leaves does not take the command along

    def peek(self, key: bytes, model: str) -> F16 | None:
        """The encoding in memory, if any."""
        packed = None if self._memory is None else self._memory.get(key)
        if packed is None:
            return None
        try:
            return codec.decode(packed, model, key)
        except CodecError:
            return None

    def keep(self, key: bytes, memory: F16, model: str) -> None:
        """Put into memory, at once."""
        if self._memory is not None:
            self._memory.put(key, codec.encode(memory, model, key))

    def share(self, key: bytes, memory: F16, model: str) -> None:
        """Put into Redis, in the background; may be dropped."""
        if self._writer is not None:
            self._writer.put(key, codec.encode(memory, model, key))

    def start(self) -> None:
        """Begin to write what is shared, on the running loop."""
        if self._writer is not None:
            self._writer.start()

    async def close(self) -> None:
        """End look-ups, write the last encodings, both briefly; the remote stays open."""
        if self._flights:
            await asyncio.wait(self._flights.values())
        if self._writer is not None:
            await self._writer.close()

    @property
    def entries(self) -> int:
        """Encodings in memory."""
        return 0 if self._memory is None else len(self._memory)

    @property
    def used_bytes(self) -> int:
        """Bytes of memory they take."""
        return 0 if self._memory is None else self._memory.used_bytes

    @property
    def writes(self) -> int:
        """Encodings written to Redis."""
        return self._writer.writes if self._writer else 0

    @property
    def write_errors(self) -> int:
        """Encodings whose write failed."""
        return self._writer.write_errors if self._writer else 0

    @property
    def dropped(self) -> int:
        """Encodings that were shared and never sent."""
        return self._writer.dropped if self._writer else 0

    async def _fetch(self, remote: Remote, key: bytes, model: str) -> Looked:
        try:
            packed = await remote.execute("GET", key)
            if packed is None:
                return Looked(None, "redis", "miss")
            if not isinstance(packed, bytes):
                return Looked(None, "redis", "error")
            memory = codec.decode(packed, model, key)
        except (RemoteError, CodecError):
            return Looked(None, "redis", "error")
        if self._memory is not None:
            self._memory.put(key, packed)
        return Looked(memory, "redis", "hit")
