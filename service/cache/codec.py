"""Encodings as bytes: a fixed header, raw fp16 rows, a checksum. Never pickle: a shared store may hold anything.

Layout, little endian: magic `PRMe`, version u8, three zero bytes, rows u32, width u32, crc32 u32, then rows × width
fp16. The checksum covers rows, width, the model, the key and the values, so that an encoding of another model or of
another history is refused too, wherever a store may have put it.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from service.errors import CodecError

F16 = NDArray[np.float16]

MAGIC = b"PRMe"
VERSION = 2
_HEADER = struct.Struct("<4sB3sIII")
_ZEROS = bytes(3)


def encode(memory: F16, model: str, key: bytes) -> bytes:
    """Pack one unpadded encoding [T,D] of this model, to be stored under this key."""
    rows, width = memory.shape
    values = np.ascontiguousarray(memory, np.dtype("<f2")).tobytes()
    return _HEADER.pack(MAGIC, VERSION, _ZEROS, rows, width, _checksum(rows, width, model, key, values)) + values


def decode(packed: bytes, model: str, key: bytes) -> F16:
    """Unpack what was found under `key` to a read-only view [T,D] of `packed`.

    Raises:
        CodecError: foreign, truncated or damaged bytes, or an encoding of another model or key.
    """
    if len(packed) < _HEADER.size:
        raise CodecError(f"An encoding is at least {_HEADER.size} bytes long, this one has {len(packed)}.")
    magic, version, zeros, rows, width, checksum = _HEADER.unpack_from(packed)
    if magic != MAGIC or version != VERSION or zeros != _ZEROS:
        raise CodecError("The value is not an encoding of this codec version.")
    values = memoryview(packed)[_HEADER.size :]
    if len(values) != 2 * rows * width:
        raise CodecError(f"The header promises {rows} × {width} values, {len(values)} bytes follow.")
    if checksum != _checksum(rows, width, model, key, values):
        raise CodecError("The checksum of the encoding does not match.")
    return np.frombuffer(values, np.dtype("<f2")).reshape(rows, width)


def _checksum(rows: int, width: int, model: str, key: bytes, values: bytes | memoryview) -> int:
    return zlib.crc32(values, zlib.crc32(key, zlib.crc32(f"{rows},{width},{model},".encode())))
