"""History encodings by content: the same model and the same history rows have the same key and the same bits."""

from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.cache import codec
from service.cache.memory import MemoryCache
from service.errors import CodecError

F16 = NDArray[np.float16]
I32 = NDArray[np.int32]
CacheResult = Literal["hit", "miss", "off", "error"]


class EncodingCache:
    """Encodings [T,D] fp16 of one model (by its tag), kept in `memory`; without it every look-up is `off`."""

    def __init__(self, model: str, memory: MemoryCache | None) -> None:
        self.model = model
        self._memory = memory

    def key(self, rows: I32) -> bytes:
        """Model tag and blake2b-128 of the history's item rows [T], oldest first."""
        digest = blake2b(np.ascontiguousarray(rows, "<i4").tobytes(), digest_size=16)
        return f"promise:h:{self.model}:{digest.hexdigest()}".encode()

    def get(self, key: bytes) -> tuple[F16 | None, CacheResult]:
        """The encoding and how the look-up went; a value that is no encoding of this model is an `error`, a miss."""
        if self._memory is None:
            return None, "off"
        packed = self._memory.get(key)
        if packed is None:
            return None, "miss"
        try:
            return codec.decode(packed, self.model), "hit"
        except CodecError:
            return None, "error"

    def put(self, key: bytes, memory: F16) -> None:
        if self._memory is not None:
            self._memory.put(key, codec.encode(memory, self.model))
