"""Cached encodings from a store that may hold anything: decoded to the bit, or refused with a CodecError."""

import struct
import zlib

import numpy as np
from taken import Taken, check_sentence

from service.cache.codec import MAGIC, VERSION, decode, encode
from service.errors import CodecError

MODEL, KEY = "made@1", b"a key of sixteen"
_HEADER = struct.Struct("<4sB3sIII")  # as the codec's docstring describes it


def one(data: bytes) -> None:
    """Try one input."""
    taken = Taken(data)
    (_foreign, _forged, _damaged)[taken.below(3)](taken)


def _foreign(taken: Taken) -> None:
    """Any bytes at all."""
    _read(taken.rest())


def _forged(taken: Taken) -> None:
    """Sizes of any kind under a checksum that is right."""
    rows, width = (int.from_bytes(taken.some(4), "little") for _ in range(2))
    values = taken.rest()
    checksum = zlib.crc32(values, zlib.crc32(KEY, zlib.crc32(f"{rows},{width},{MODEL},".encode())))
    found = _read(_HEADER.pack(MAGIC, VERSION, bytes(3), rows, width, checksum) + values)
    assert found is None or found == (rows, width)


def _damaged(taken: Taken) -> None:
    """A good encoding comes back to the bit; with one bit turned, cut, or under another name it does not."""
    width, bit, key = 1 + taken.below(64), taken.below(1 << 20), taken.part()
    values = taken.rest()
    rows = len(values) // (2 * width)
    memory = np.frombuffer(values[: 2 * rows * width], np.float16).reshape(rows, width)
    packed = encode(memory, MODEL, KEY)
    assert decode(packed, MODEL, KEY).tobytes() == memory.tobytes()
    turned = bytearray(packed)
    turned[bit // 8 % len(packed)] ^= 1 << bit % 8
    assert _read(bytes(turned)) is None
    assert _read(packed[: bit % len(packed)]) is None
    assert _read(packed + b"\0") is None
    assert key == KEY or _read(packed, key=key) is None
    assert _read(packed, model="made@2") is None


def _read(packed: bytes, model: str = MODEL, key: bytes = KEY) -> tuple[int, ...] | None:
    """The shape of what was read; None if it was refused."""
    try:
        memory = decode(packed, model, key)
    except CodecError as refused:
        check_sentence(refused.detail)
        return None
    assert not memory.flags.writeable
    assert encode(memory, model, key) == packed
    return memory.shape
