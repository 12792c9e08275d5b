"""Encodings survive the codec bit by bit; anything else is refused, never misread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from service.cache import codec
from service.errors import CodecError

MODEL = "beauty@1"
encodings = arrays.arrays(
    np.float16, st.tuples(st.integers(0, 30), st.integers(1, 16)), elements=arrays.from_dtype(np.dtype(np.float16))
)


@given(encodings)
def test_every_bit_comes_back(memory: NDArray[np.float16]) -> None:
    back = codec.decode(codec.encode(memory, MODEL), MODEL)
    assert back.shape == memory.shape
    assert back.tobytes() == memory.tobytes()
    assert not back.flags.writeable


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(CodecError):
        codec.decode(garbage, MODEL)


@given(encodings, st.data())
def test_one_wrong_byte_is_refused(memory: NDArray[np.float16], data: st.DataObject) -> None:
    packed = bytearray(codec.encode(memory, MODEL))
    meaningful = [at for at in range(len(packed)) if at not in (5, 6, 7)]  # the padding of the header
    packed[data.draw(st.sampled_from(meaningful))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CodecError):
        codec.decode(bytes(packed), MODEL)


@given(encodings, st.integers(1, 40))
def test_a_cut_value_is_refused(memory: NDArray[np.float16], cut: int) -> None:
    packed = codec.encode(memory, MODEL)
    with pytest.raises(CodecError):
        codec.decode(packed[: max(0, len(packed) - cut)], MODEL)


def test_another_models_encoding_is_refused() -> None:
    packed = codec.encode(np.ones((3, 4), np.float16), MODEL)
    with pytest.raises(CodecError, match="checksum"):
        codec.decode(packed, "beauty@2")
