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
KEY = b"promise:h:beauty@1:00ff"
encodings = arrays.arrays(
    np.float16, st.tuples(st.integers(0, 30), st.integers(1, 16)), elements=arrays.from_dtype(np.dtype(np.float16))
)


@given(encodings)
def test_every_bit_comes_back(memory: NDArray[np.float16]) -> None:
    back = codec.decode(codec.encode(memory, MODEL, KEY), MODEL, KEY)
    assert back.shape == memory.shape
    assert back.tobytes() == memory.tobytes()
    assert not back.flags.writeable


@given(encodings)
def test_a_view_of_a_batch_is_packed_without_the_batch(memory: NDArray[np.float16]) -> None:
    batch = np.stack([memory, memory + np.float16(1)]).transpose(0, 2, 1)
    assert codec.encode(batch[0].T, MODEL, KEY) == codec.encode(memory.copy(), MODEL, KEY)


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(CodecError):
        codec.decode(garbage, MODEL, KEY)


@given(encodings, st.data())
def test_one_wrong_byte_is_refused(memory: NDArray[np.float16], data: st.DataObject) -> None:
    packed = bytearray(codec.encode(memory, MODEL, KEY))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CodecError):
        codec.decode(bytes(packed), MODEL, KEY)


@given(encodings, st.integers(1, 40))
def test_a_cut_value_is_refused(memory: NDArray[np.float16], cut: int) -> None:
    packed = codec.encode(memory, MODEL, KEY)
    with pytest.raises(CodecError):
        codec.decode(packed[: max(0, len(packed) - cut)], MODEL, KEY)


@given(encodings, st.binary(min_size=1, max_size=40))
def test_a_longer_value_is_refused(memory: NDArray[np.float16], more: bytes) -> None:
    with pytest.raises(CodecError):
        codec.decode(codec.encode(memory, MODEL, KEY) + more, MODEL, KEY)


@given(encodings, st.sampled_from([("beauty@2", KEY), (MODEL, KEY[:-1] + b"e"), (MODEL, b"")]))
def test_an_encoding_of_another_model_or_history_is_refused(
    memory: NDArray[np.float16], other: tuple[str, bytes]
) -> None:
    packed = codec.encode(memory, *other)
    with pytest.raises(CodecError, match="checksum"):
        codec.decode(packed, MODEL, KEY)
