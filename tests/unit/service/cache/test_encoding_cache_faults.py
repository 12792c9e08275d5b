"""Whatever Redis holds or does, a look-up is a hit with the right bits, or it is none; and it is repaired later."""

import asyncio
import time

import numpy as np
import pytest
from cache_world import GENEROUS_S, MODEL, cache_at, encoding, key_of, liar, run, until
from redis_server import DelayProxy, RedisServer

from service.cache import codec
from service.cache.encodings import EncodingCache, Looked
from service.cache.memory import MemoryCache
from service.cache.redis import connect

CORRUPTED = 1000
TIMEOUT_S = 0.2
Commands = list[tuple[str | int | float | bytes, ...]]


def corruption(kind: int, key: bytes, packed: bytes, other: bytes, rng: np.random.Generator) -> Commands:
    """One of many ways to spoil the value of a key; `other` is the good value of another key."""
    at, flip = int(rng.integers(len(packed))), int(rng.integers(1, 256))
    kinds: list[Commands] = [
        [("SET", key, packed[:at])],
        [("SET", key, packed[:at] + bytes([packed[at] ^ flip]) + packed[at + 1 :])],
        [("SET", key, packed + rng.bytes(at + 1))],
        [("SET", key, rng.bytes(at))],
        [("SET", key, packed[:16] + rng.bytes(len(packed) - 16))],
        [("SET", key, b"\x80\x04cos\nsystem\n")],
        [("SET", key, packed[::-1])],
        [("SET", key, other)],
        [("SET", key, codec.encode(encoding(1), "tiny@2", key))],
        [("SET", key, b"")],
        [("SET", key, at)],
        [("DEL", key), ("RPUSH", key, packed)],
        [("DEL", key), ("HSET", key, packed, packed)],
        [("DEL", key), ("ZADD", key, 1.0, packed)],
        [("DEL", key), ("XADD", key, "*", "f", packed)],
        [("DEL", key), ("PFADD", key, packed)],
    ]
    return kinds[kind % len(kinds)]


def test_a_thousand_corrupted_values_are_errors_and_are_overwritten(redis: RedisServer) -> None:
    rng = np.random.default_rng(0)

    async def spoil_and_repair() -> None:
        async with cache_at(redis.url) as cache:
            keys = [key_of(cache, seed) for seed in range(CORRUPTED)]
            packed = [codec.encode(encoding(seed), MODEL, key) for seed, key in enumerate(keys)]
            batch: Commands = []
            for number, key in enumerate(keys):
                batch += corruption(number, key, packed[number], packed[number - 1], rng)
            redis.commands(batch)
            assert {await cache.get(key, MODEL) for key in keys} == {Looked(None, "redis", "error")}
            for number, key in enumerate(keys):
                cache.share(key, encoding(number), MODEL)
            await until(lambda: cache.writes == CORRUPTED)
            for number, key in enumerate(keys):
                found = await cache.get(key, MODEL)
                assert found.memory is not None
                assert found.memory.tobytes() == encoding(number).tobytes()

    run(spoil_and_repair())


def test_a_spoiled_value_in_memory_is_a_miss_and_redis_is_asked(redis: RedisServer) -> None:
    async def look() -> Looked:
        stored = MemoryCache(1 << 20)
        async with cache_at(redis.url, stored) as cache:
            key = key_of(cache, 0)
            cache.share(key, encoding(0), MODEL)
            await until(lambda: cache.writes == 1)
            stored.put(key, b"garbage")
            return await cache.get(key, MODEL)

    found = run(look())
    assert (found.tier, found.result) == ("redis", "hit")


@pytest.mark.parametrize("command", [("FLUSHALL",), ("FLUSHALL", "ASYNC"), ("CONFIG", "SET", "maxmemory", "1")])
def test_emptied_redis_is_a_miss_and_memory_goes_on(redis: RedisServer, command: tuple[str, ...]) -> None:
    async def flush() -> None:
        memory = MemoryCache(1 << 20)
        async with cache_at(redis.url, memory) as one, cache_at(redis.url) as other:
            key = key_of(one, 0)
            one.keep(key, encoding(0), MODEL)
            one.share(key, encoding(0), MODEL)
            await until(lambda: one.writes == 1)
            redis.commands([("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), command])
            try:
                await until_empty(redis)
                assert (await other.get(key, MODEL)).result == "miss"
                assert (await one.get(key, MODEL)).tier == "memory"
            finally:
                redis.commands([("CONFIG", "SET", "maxmemory", 0), ("CONFIG", "SET", "maxmemory-policy", "noeviction")])

    run(flush())


def test_hung_redis_costs_the_first_look_ups_a_time_out_and_the_others_nothing() -> None:
    async def hang() -> None:
        async with cache_at(server.url, MemoryCache(1 << 20), TIMEOUT_S) as cache:
            cache.keep(key_of(cache, 0), encoding(0), MODEL)
            cache.share(key_of(cache, 1), encoding(1), MODEL)
            await until(lambda: cache.writes == 1)
            server.pause()
            began = time.perf_counter()
            assert (await cache.get(key_of(cache, 0), MODEL)).result == "hit"
            assert time.perf_counter() - began < TIMEOUT_S
            first = await asyncio.gather(*(timed(cache, seed) for seed in range(1, 65)))
            assert max(first) < 5 * TIMEOUT_S
            later = sorted([await timed(cache, seed) for seed in range(1, 1000)])
            assert later[500] < TIMEOUT_S / 200
            server.resume()
            while (await cache.get(key_of(cache, 1), MODEL)).result != "hit":
                await asyncio.sleep(0.01)

    with RedisServer() as server:
        run(asyncio.wait_for(hang(), 60))


def test_killed_slow_and_locked_redis_lose_no_answer() -> None:
    """Under a stream of look-ups Redis goes through all of it; every hit has the right bits, nothing raises."""

    async def looks(cache: EncodingCache, stop: asyncio.Event) -> dict[str, int]:
        results = dict.fromkeys(("hit", "miss", "error"), 0)
        while not stop.is_set() or not results["hit"]:
            for seed in range(20):
                key = key_of(cache, seed)
                looked = await cache.get(key, MODEL)
                results[looked.result] += 1
                if looked.memory is None:
                    cache.share(key, encoding(seed), MODEL)
                else:
                    assert looked.memory.tobytes() == encoding(seed).tobytes()
            await asyncio.sleep(0.001)
        return results

    async def trouble(cache: EncodingCache) -> None:
        for step in (server.kill, server.start, server.pause, server.resume):
            await asyncio.to_thread(step)
            await asyncio.sleep(2 * TIMEOUT_S)
        for proxy.delay_s in (2 * TIMEOUT_S, TIMEOUT_S / 20, 0):
            await asyncio.sleep(2 * TIMEOUT_S)
        server.commands([("FLUSHALL",), ("CONFIG", "SET", "requirepass", "x"), ("CLIENT", "KILL", "TYPE", "normal")])
        await asyncio.sleep(2 * TIMEOUT_S)
        server.password = "x"
        server.command("CONFIG", "SET", "requirepass", "")
        server.password = ""
        while (await cache.get(key_of(cache, 0), MODEL)).result != "hit":
            await asyncio.sleep(0.01)

    async def live() -> list[dict[str, int]]:
        async with cache_at(f"redis://127.0.0.1:{proxy.port}", timeout_s=TIMEOUT_S) as cache:
            stop = asyncio.Event()
            lookers = [asyncio.ensure_future(looks(cache, stop)) for _ in range(4)]
            async with asyncio.timeout(60):
                await trouble(cache)
            stop.set()
            return await asyncio.wait_for(asyncio.gather(*lookers), 60)

    with RedisServer() as server, DelayProxy(server.port) as proxy:
        for results in run(live()):
            assert min(results.values()) > 0


@pytest.mark.parametrize(
    "answer", [b":1\r\n", b"*1\r\n$1\r\nx\r\n", b"+PONG\r\n", b"*-1\r\n", b"HTTP/1.1 400 Bad Request\r\n"]
)
def test_something_else_than_redis_is_an_error_or_a_miss(answer: bytes) -> None:
    async def look() -> set[str]:
        async with liar(answer) as port, cache_at(f"redis://127.0.0.1:{port}", timeout_s=TIMEOUT_S) as cache:
            return {(await cache.get(key_of(cache, seed), MODEL)).result for seed in range(5)}

    assert run(look()) == ({"miss"} if answer == b"*-1\r\n" else {"error"})


def test_close_waits_for_look_ups_and_leaves_the_remote_open(redis: RedisServer) -> None:
    async def close() -> list[object]:
        remote = connect(redis.url, GENEROUS_S)
        cache = EncodingCache(None, remote, 10)
        cache.start()
        asked = asyncio.ensure_future(cache.get(key_of(cache, 0), MODEL))
        await asyncio.sleep(0)
        cache.share(key_of(cache, 1), encoding(1), MODEL)
        await cache.close()
        assert asked.done() or (await asked)
        reply = await remote.execute("EXISTS", key_of(cache, 1))
        await remote.close()
        return [asked.result().result, reply, cache.writes]

    assert run(close()) == ["miss", 1, 1]


async def timed(cache: EncodingCache, seed: int) -> float:
    began = time.perf_counter()
    assert (await cache.get(key_of(cache, seed), MODEL)).result == "error"
    return time.perf_counter() - began


async def until_empty(server: RedisServer) -> None:
    await until(lambda: server.command("DBSIZE") == 0)
