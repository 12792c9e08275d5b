"""Look-ups through both tiers and a real redis-server: what was kept comes back bit by bit, and is asked for once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cache_world import MODEL, cache_at, calls, encoding, key_of, run, until
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from redis_server import RedisServer

from service.cache.encodings import EncodingCache, Looked
from service.cache.memory import MemoryCache

F16 = NDArray[np.float16]
ROOM = 1 << 20
encodings = arrays.arrays(
    np.float16, st.tuples(st.integers(0, 8), st.integers(1, 8)), elements=arrays.from_dtype(np.dtype(np.float16))
)
histories = st.integers(0, 6).flatmap(
    lambda length: st.tuples(
        arrays.arrays(np.int32, (length, 3), elements=st.integers(0, 3)),
        arrays.arrays(np.int32, length, elements=st.integers(0, 3)),
    )
)


async def shared(cache: EncodingCache, seed: int, model: str = MODEL) -> bytes:
    """The key of an encoding that has reached Redis."""
    key, written = key_of(cache, seed, model), cache.writes
    cache.share(key, encoding(seed), model)
    await until(lambda: cache.writes == written + 1)
    return key


@given(histories, histories, st.sampled_from(["m@1", "m@2"]), st.sampled_from(["m@1", "m@2"]))
def test_keys_are_equal_where_the_content_is(
    one: tuple[NDArray[np.int32], ...], other: tuple[NDArray[np.int32], ...], model: str, another: str
) -> None:
    cache = EncodingCache(None, None, 1)
    same = model == another and all(map(np.array_equal, one, other))
    assert (cache.key(model, *one) == cache.key(another, *other)) == same
    assert cache.key(model, *(np.asfortranarray(part) for part in one)) == cache.key(model, *one)


def test_keys_of_what_is_stored_already_stay_as_they_are() -> None:
    codes, items = np.arange(6, dtype=np.int32).reshape(2, 3), np.array([4, 0], np.int32)
    assert EncodingCache(None, None, 1).key("m1", codes, items) == b"promise:h:m1:dbd3db9b557e4710ce63e0a3e1d3acc9"


def test_codes_alone_and_items_alone_make_another_key() -> None:
    cache, codes, items = EncodingCache(None, None, 1), np.zeros((4, 3), np.int32), np.zeros(4, np.int32)
    keys = {
        cache.key("m", codes, items),
        cache.key("m", codes + 1, items),
        cache.key("m", codes, items + 1),
        cache.key("m", np.zeros((3, 4), np.int32), items),
        cache.key("m", np.zeros((4, 2), np.int32), np.zeros(8, np.int32)),
    }
    assert len(keys) == 5


def test_without_tiers_it_is_off_and_without_redis_in_memory_only() -> None:
    async def look() -> list[Looked]:
        off, alone = EncodingCache(None, None, 1), EncodingCache(MemoryCache(ROOM), None, 1)
        for cache in (off, alone):
            cache.start()
            cache.share(key_of(cache, 0), encoding(0), MODEL)
            cache.keep(key_of(cache, 1), encoding(1), MODEL)
            await cache.close()
        key = key_of(off, 0)
        assert (off.entries, off.used_bytes, alone.entries) == (0, 0, 1)
        assert alone.used_bytes > encoding(1).nbytes
        return [await off.get(key, MODEL), await alone.get(key, MODEL), await alone.get(key_of(off, 1), MODEL)]

    off, miss, hit = run(look())
    assert (off, miss) == (Looked(None, None, "off"), Looked(None, "memory", "miss"))
    assert (hit.tier, hit.result) == ("memory", "hit")


@settings(max_examples=40, deadline=None)
@given(memory=encodings)
def test_a_shared_encoding_comes_back_bit_by_bit_elsewhere(redis_server: RedisServer, memory: F16) -> None:
    redis_server.command("FLUSHALL")

    async def there_and_back() -> None:
        async with cache_at(redis_server.url) as one, cache_at(redis_server.url, MemoryCache(ROOM)) as other:
            key = key_of(one, 0)
            assert await other.get(key, MODEL) == Looked(None, "redis", "miss")
            one.share(key, memory, MODEL)
            await until(lambda: one.writes == 1)
            for tier in ("redis", "memory"):  # a hit in Redis is kept in memory
                found = await other.get(key, MODEL)
                assert (found.tier, found.result) == (tier, "hit")
                assert found.memory is not None
                assert found.memory.shape == memory.shape
                assert found.memory.tobytes() == memory.tobytes()

    run(there_and_back())


def test_keep_is_for_this_process_and_share_for_the_others(redis: RedisServer) -> None:
    async def look() -> None:
        async with cache_at(redis.url, MemoryCache(ROOM)) as one, cache_at(redis.url, MemoryCache(ROOM)) as other:
            key = key_of(one, 0)
            one.keep(key, encoding(0), MODEL)
            assert (await other.get(key, MODEL)).result == "miss"
            assert one.peek(key, MODEL) is not None
            await shared(one, 1)
            assert (await other.get(key_of(one, 1), MODEL)).result == "hit"
            assert one.peek(key_of(one, 1), MODEL) is None

    run(look())


@pytest.mark.parametrize(("count", "keys"), [(200, 1), (200, 7)])
def test_look_ups_at_the_same_time_share_one_command_a_key(redis: RedisServer, count: int, keys: int) -> None:
    async def together() -> list[Looked]:
        async with cache_at(redis.url) as cache:
            for seed in range(keys):
                await shared(cache, seed)
            redis.command("CONFIG", "RESETSTAT")
            return await asyncio.gather(*(cache.get(key_of(cache, n % keys), MODEL) for n in range(count)))

    found = run(together())
    assert calls(redis, "get") == keys
    for number, looked in enumerate(found):
        assert looked.memory is not None
        assert looked.memory.tobytes() == encoding(number % keys).tobytes()


def test_a_later_look_up_asks_again_and_sees_what_was_written_since(redis: RedisServer) -> None:
    async def twice() -> list[str]:
        async with cache_at(redis.url) as cache:
            before = await cache.get(key_of(cache, 0), MODEL)
            await shared(cache, 0)
            return [before.result, (await cache.get(key_of(cache, 0), MODEL)).result]

    assert run(twice()) == ["miss", "hit"]


def test_a_caller_who_leaves_does_not_take_the_command_along(redis: RedisServer) -> None:
    async def leave() -> Looked:
        async with cache_at(redis.url) as cache:
            key = await shared(cache, 0)
            callers = [asyncio.ensure_future(cache.get(key, MODEL)) for _ in range(3)]
            await asyncio.sleep(0)
            callers[0].cancel()
            await asyncio.wait(callers)
            assert callers[0].cancelled()
            assert callers[1].result() is callers[2].result()
            return callers[1].result()

    assert run(leave()).result == "hit"


def test_models_do_not_read_each_others_encodings(redis: RedisServer) -> None:
    async def look() -> None:
        async with cache_at(redis.url, MemoryCache(ROOM)) as cache:
            key = await shared(cache, 0)
            assert (await cache.get(key_of(cache, 0, "tiny@2"), "tiny@2")).result == "miss"
            assert (await cache.get(key, "tiny@2")).result == "error"
            assert (await cache.get(key, MODEL)).result == "hit"
            assert cache.peek(key, "tiny@2") is None

    run(look())


def test_the_device_thread_may_keep_and_peek_while_the_loop_looks_up(redis: RedisServer) -> None:
    def device(cache: EncodingCache, seeds: range) -> None:
        for seed in seeds:
            cache.keep(key_of(cache, seed), encoding(seed), MODEL)
            assert cache.peek(key_of(cache, seed), MODEL) is not None

    async def look() -> None:
        async with cache_at(redis.url, MemoryCache(ROOM)) as cache:
            with ThreadPoolExecutor(2) as threads:
                work = [threads.submit(device, cache, range(start, 300, 2)) for start in range(2)]
                while not all(one.done() for one in work):
                    for seed in range(300):
                        looked = await cache.get(key_of(cache, seed), MODEL)
                        assert looked.result != "error"
                        assert looked.memory is None or looked.memory.tobytes() == encoding(seed).tobytes()
                for one in work:
                    one.result()
            assert cache.entries == 300

    run(look())
