"""Writes to Redis: batched, jittered, bounded, counted; nobody waits for them and close flushes them briefly."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any

import pytest
from cache_world import GENEROUS_S, remote_at, run, until
from hypothesis import given
from hypothesis import strategies as st
from redis_server import DelayProxy, RedisServer

from service.cache.breaker import BreakerState
from service.cache.remote import Argument
from service.cache.writer import BATCH, BATCH_BYTES, FLUSH_S, Writer


class Recorder:
    """A Remote that takes everything and remembers the round trips."""

    breaker_state: BreakerState = "closed"

    def __init__(self) -> None:
        self.trips: list[list[Any]] = []

    async def execute(self, *command: Argument) -> Any:
        raise AssertionError(command)

    async def pipeline(self, commands: Sequence[Sequence[Argument]], confirm: int = 0) -> list[Any]:
        assert not confirm, "encodings wait for no replica"
        self.trips.append(list(commands))
        return [b"OK"] * len(commands)

    async def close(self) -> None:
        return None


def test_everything_queued_arrives(redis: RedisServer) -> None:
    async def write() -> Writer:
        async with remote_at(redis.url) as remote:
            writer = Writer(remote, ttl_s=100, limit=1000)
            for number in range(1000):
                writer.put(b"k%d" % number, b"%d" % number)
            writer.start()
            await until(lambda: writer.writes == 1000)
            await writer.close()
            return writer

    writer = run(write())
    assert (writer.writes, writer.write_errors, writer.dropped) == (1000, 0, 0)
    assert redis.command("GET", "k777") == b"777"
    assert redis.command("DBSIZE") == 1000


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 10))
def test_the_oldest_give_way_and_a_key_is_written_once_with_its_newest_value(keys: list[int], limit: int) -> None:
    queue = dict[int, int]()  # the model: keys in the order of their last put
    dropped = 0
    for version, key in enumerate(keys):
        queue.pop(key, None)
        queue[key] = version
        if len(queue) > limit:
            queue.pop(next(iter(queue)))
            dropped += 1

    async def write() -> tuple[dict[int, int], int]:
        recorder = Recorder()
        writer = Writer(recorder, 10, limit)
        for version, key in enumerate(keys):
            writer.put(b"%d" % key, b"%d" % version)
        writer.start()
        await writer.close()
        return {int(key): int(value) for _, key, value, *_ in itertools.chain(*recorder.trips)}, writer.dropped

    assert run(write()) == (queue, dropped)


@pytest.mark.parametrize("ttl_s", [1, 10, 1000])
def test_lives_are_spread_by_a_tenth(redis: RedisServer, ttl_s: int) -> None:
    async def write() -> None:
        async with remote_at(redis.url) as remote:
            spread = iter([0.0, 0.25, 0.5, 0.999])
            writer = Writer(remote, ttl_s, jitter=lambda: next(spread))
            for number in range(4):
                writer.put(b"k%d" % number, b"")
            writer.start()
            await writer.close()

    began = time.time()
    run(write())
    expiries = [redis.command("PEXPIRETIME", f"k{number}") / 1000 - began for number in range(4)]
    for expiry, share in zip(expiries, (0.9, 0.95, 1.0, 1.1), strict=True):
        assert -0.01 <= expiry - max(1, round(share * ttl_s)) <= 30
    assert ttl_s < 100 or expiries[3] - expiries[0] > 0.1 * ttl_s


@given(st.lists(st.integers(0, BATCH_BYTES), max_size=12))
def test_no_round_trip_carries_too_much(sizes: list[int]) -> None:
    async def write() -> list[list[int]]:
        recorder = Recorder()
        writer = Writer(recorder, 100)
        for number, size in enumerate(sizes):
            writer.put(b"k%d" % number, bytes(size))
        writer.start()
        await writer.close()
        return [[len(value) for _, _, value, *_ in trip] for trip in recorder.trips]

    trips = run(write())
    assert [size for trip in trips for size in trip] == sizes
    for trip in trips:
        assert len(trip) <= BATCH
        assert sum(trip[:-1]) < BATCH_BYTES, "one value may be large, two of them travel apart"


def test_a_refused_write_is_counted_and_the_next_one_arrives(redis: RedisServer) -> None:
    async def write() -> tuple[int, int]:
        async with remote_at(redis.url) as remote:
            writer = Writer(remote, 100)
            writer.start()
            redis.command("CONFIG", "SET", "maxmemory", 1)
            try:
                writer.put(b"a", b"1")
                await until(lambda: writer.write_errors == 1)
            finally:
                redis.command("CONFIG", "SET", "maxmemory", 0)
            writer.put(b"b", b"2")
            await until(lambda: writer.writes == 1)
            await writer.close()
            return writer.write_errors, writer.dropped

    assert run(write()) == (1, 0)
    assert redis.command("GET", "b") == b"2"


def test_while_redis_is_left_alone_writes_are_dropped_at_once() -> None:
    async def write() -> Writer:
        async with remote_at("redis://127.0.0.1:1", 0.05) as remote:
            writer = Writer(remote, 100)
            writer.start()
            while remote.breaker_state == "closed":
                writer.put(b"k", b"v")
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            errors, dropped = writer.write_errors, writer.dropped
            for number in range(100):
                writer.put(b"k%d" % number, b"v")
            assert writer.dropped == dropped + 100
            await writer.close()
            assert (writer.write_errors, writer.writes) == (errors, 0)
            return writer

    assert run(write()).write_errors >= 1


def test_close_flushes_but_not_for_long() -> None:
    async def write() -> tuple[float, int, int]:
        async with remote_at(f"redis://127.0.0.1:{proxy.port}", 60) as remote:
            writer = Writer(remote, 100)
            writer.start()
            for number in range(3 * BATCH):
                writer.put(b"k%d" % number, b"v")
            began = time.perf_counter()
            await writer.close()
            took = time.perf_counter() - began
            writer.put(b"late", b"v")
            return took, writer.writes, writer.write_errors + writer.dropped

    with RedisServer() as server, DelayProxy(server.port, delay_s=60) as proxy:
        took, written, lost = run(write())
    assert took < FLUSH_S + GENEROUS_S
    assert (written, lost) == (0, 3 * BATCH + 1)
