"""Encodings as bytes: a fixed header, raw fp16 rows, a checksum. Never pickle: a shared store may hold anything.

Layout, little endian: magic `PRMe`, version u8, three zero bytes, rows u32, width u32, crc32 u32, then rows × width
fp16. The checksum covers rows, width, the model tag and the values, so that a value of another model is refused too.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from service.errors import CodecError

F16 = NDArray[np.float16]

MAGIC = b"PRMe"
VERSION = 1
_HEADER = struct.Struct("<4sB3xIII")


def encode(memory: F16, model: str) -> bytes:
    """Pack one unpadded encoding [T,D] of the model with this tag."""
    rows, width = memory.shape
    values = np.ascontiguousarray(memory, np.dtype("<f2")).tobytes()
    return _HEADER.pack(MAGIC, VERSION, rows, width, _checksum(rows, width, model, values)) + values


def decode(packed: bytes, model: str) -> F16:
    """Unpack to a read-only view [T,D] of `packed`.

    Raises:
        CodecError: foreign, truncated or damaged bytes, or an encoding of another model.
    """
    if len(packed) < _HEADER.size:
        raise CodecError(f"An encoding is at least {_HEADER.size} bytes long, this one has {len(packed)}.")
    magic, version, rows, width, checksum = _HEADER.unpack_from(packed)
    if magic != MAGIC or version != VERSION:
        raise CodecError("The value is not an encoding of this codec version.")
    values = memoryview(packed)[_HEADER.size :]
    if len(values) != 2 * rows * width:
        raise CodecError(f"The header promises {rows} × {width} values, {len(values)} bytes follow.")
    if checksum != _checksum(rows, width, model, values):
        raise CodecError("The checksum of the encoding does not match.")
    return np.frombuffer(values, np.dtype("<f2")).reshape(rows, width)


def _checksum(rows: int, width: int, model: str, values: bytes | memoryview) -> int:
    return zlib.crc32(values, zlib.crc32(f"{rows},{width},{model}".encode()))
