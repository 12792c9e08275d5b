"""The least recently used values leave first, the bound holds, and many threads may use it at once."""

import sys
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from service.cache.memory import ENTRY_OVERHEAD, MemoryCache


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


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=80), st.integers(1, 5))
def test_it_is_the_last_values_used(steps: list[tuple[bool, int]], room: int) -> None:
    """Against a list in order of use, with values of one size."""
    cache, used = MemoryCache(room * (1 + 10 + ENTRY_OVERHEAD)), list[int]()
    for is_put, number in steps:
        key = b"%d" % number
        if is_put:
            cache.put(key, bytes(10))
        else:
            assert (cache.get(key) is not None) == (number in used)
        if is_put or number in used:
            used = [*(other for other in used if other != number), number][-room:]
    assert len(cache) == len(used)


def test_a_value_larger_than_the_cache_is_not_kept_and_its_older_one_is_gone() -> None:
    cache = MemoryCache(500)
    cache.put(b"a", bytes(10))
    cache.put(b"a", bytes(1000))
    assert (len(cache), cache.used_bytes) == (0, 0)


def test_threads_leave_the_account_right() -> None:
    cache, limit = MemoryCache(8_000), 8_000

    def work(seed: int) -> None:
        for number in range(3_000):
            key = b"%d" % ((number * 7 + seed) % 40)
            cache.put(key, bytes((number * 13 + seed) % 300))
            cache.get(b"%d" % (number % 40))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places in the middle of things, not after 5 ms
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
    finally:
        sys.setswitchinterval(interval)
    kept = {key: value for number in range(40) if (value := cache.get(key := b"%d" % number)) is not None}
    assert len(cache) == len(kept)
    assert cache.used_bytes == sum(len(key) + len(value) + ENTRY_OVERHEAD for key, value in kept.items()) <= limit
