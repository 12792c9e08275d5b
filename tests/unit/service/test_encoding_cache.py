"""The least recently used encodings leave first, the bound holds, keys name the content."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache

ROWS = np.array([3, 1, 2], np.int32)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60), st.integers(0, 2000))
def test_the_bound_holds_and_what_is_there_is_right(puts: list[tuple[int, int]], limit: int) -> None:
    cache, latest = MemoryCache(limit), {}
    for number, size in puts:
        cache.put(b"%d" % number, bytes(size))
        latest[number] = bytes(size)
        assert 0 <= cache.used_bytes <= limit
    for number, value in latest.items():
        assert cache.get(b"%d" % number) in (None, value)
    assert (cache.used_bytes == 0) == (len(cache) == 0)


def test_the_least_recently_used_leaves_first() -> None:
    cache = MemoryCache(2 * (100 + 1 + 200))
    cache.put(b"a", bytes(100))
    cache.put(b"b", bytes(100))
    assert cache.get(b"a") is not None
    cache.put(b"c", bytes(100))
    assert [cache.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_value_larger_than_the_cache_is_not_kept() -> None:
    cache = MemoryCache(500)
    cache.put(b"a", bytes(10))
    cache.put(b"a", bytes(1000))
    assert (len(cache), cache.used_bytes) == (0, 0)


def test_a_miss_then_a_hit_with_the_same_bits() -> None:
    cache = EncodingCache("m@1", MemoryCache(1 << 20))
    memory = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float16)
    key = cache.key(ROWS)
    assert cache.get(key) == (None, "miss")
    cache.put(key, memory)
    found, result = cache.get(cache.key(ROWS.copy()))
    assert result == "hit"
    assert found is not None
    assert found.tobytes() == memory.tobytes()


def test_a_damaged_value_is_an_error_and_costs_only_the_encoding() -> None:
    stored = MemoryCache(1 << 20)
    cache = EncodingCache("m@1", stored)
    cache.put(cache.key(ROWS), np.ones((3, 8), np.float16))
    stored.put(cache.key(ROWS), b"garbage")
    assert cache.get(cache.key(ROWS)) == (None, "error")


def test_without_memory_the_cache_is_off() -> None:
    cache = EncodingCache("m@1", None)
    cache.put(cache.key(ROWS), np.zeros((3, 8), np.float16))
    assert cache.get(cache.key(ROWS)) == (None, "off")


def test_keys_tell_histories_and_models_apart() -> None:
    rows = [ROWS, ROWS[::-1], ROWS[:2], np.append(ROWS, 0).astype(np.int32)]
    keys = {EncodingCache(model, None).key(row) for model in ("m@1", "m@2") for row in rows}
    assert len(keys) == 8
