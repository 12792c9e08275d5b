"""A primary that sentinels name: followed through a failover, found among sentinels that lie, hang or are not there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from cache_world import GENEROUS_S, cache_at, encoding, key_of, liar, outcome, remote_at, run, until
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer, SentinelSet

from service.cache.remote import RemoteError

TIMEOUT_S = 0.2
WORD = b"$%d\r\n%s\r\n"


@pytest.fixture(scope="module")
def redis_set() -> Iterator[SentinelSet]:
    with SentinelSet() as started:
        yield started


@asynccontextmanager
async def saying(reply: Callable[[], bytes]) -> AsyncIterator[int]:
    """A sentinel that greets like one, and answers questions with `reply`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(4096):
            writer.write(reply() if b"GET-MASTER" in command else b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def naming(server: RedisServer) -> Callable[[], bytes]:
    port = b"%d" % server.port
    return lambda: b"*2\r\n" + WORD % (9, b"127.0.0.1") + WORD % (len(port), port)


async def asked(*replies: Callable[[], bytes]) -> object:
    """The reply to a command where the sentinels reply so."""
    async with AsyncExitStack() as open_ones:
        ports = [await open_ones.enter_async_context(saying(reply)) for reply in replies]
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in ports) + "/any"
        remote = await open_ones.enter_async_context(remote_at(url, GENEROUS_S))
        return await outcome(remote, "SET", "k", "v")


def test_commands_go_to_the_primary(redis_set: SentinelSet) -> None:
    async def story() -> None:
        async with remote_at(redis_set.url) as remote:
            assert await remote.execute("SET", "k", b"\xff") == b"OK"
            assert await remote.pipeline([("GET", "k"), ("INCR", "n")]) == [b"\xff", 1]
            with pytest.raises(RemoteError) as wrong:
                await remote.execute("INCR", "k")
            assert wrong.value.code == "ERR"
            assert remote.breaker_state == "closed"
        async with remote_at(redis_set.url + "/3") as remote:
            assert await remote.execute("GET", "k") is None

    run(story())
    assert redis_set.primary.command("GET", "k") == b"\xff"


def test_an_encoding_goes_there_and_back(redis_set: SentinelSet) -> None:
    async def story() -> None:
        async with cache_at(redis_set.url) as cache:
            cache.share(key_of(cache, 1), encoding(1), "tiny@1")
            await until(lambda: cache.writes == 1)
            looked = await cache.get(key_of(cache, 1), "tiny@1")
            assert looked.result == "hit"

    run(story())


def test_a_name_that_no_sentinel_knows_is_no_primary(redis_set: SentinelSet) -> None:
    async def story() -> None:
        async with remote_at(redis_set.url + "s", TIMEOUT_S) as remote:
            assert isinstance(await outcome(remote, "GET", "k"), RemoteError)

    run(story())


def test_sentinels_that_hang_or_are_gone_cost_nothing_while_most_are_there(redis_set: SentinelSet) -> None:
    first, second, _ = redis_set.sentinels
    first.pause()
    try:
        run(_write(redis_set.url))
        second.pause()
        run(_write(redis_set.url))
    finally:
        first.resume()
        second.resume()


async def _write(url: str) -> None:
    async with remote_at(url) as remote:
        assert await remote.execute("SET", "k", 1) == b"OK"


def test_a_sentinel_that_lies_is_outvoted(redis_set: SentinelSet) -> None:
    primary, replica, _ = redis_set.servers
    truth, lie = naming(primary), naming(replica)
    assert run(asked(lie, truth, truth)) == b"OK"
    assert run(asked(lie, lambda: b"*-1\r\n", truth)) == b"OK", "a replica does not pass for a primary"
    assert isinstance(run(asked(lie, lie, lie)), RemoteError)


def test_another_primary_is_followed_without_waiting_for_a_failure_of_the_first() -> None:
    """The sentinels change their minds: a demoted primary refuses writes, and the next ones go to its successor."""

    async def story(old: RedisServer, new: RedisServer) -> None:
        named = [old]
        async with AsyncExitStack() as opened:
            port = await opened.enter_async_context(saying(lambda: naming(named[0])()))
            url = f"redis+sentinel://127.0.0.1:{port}/any"
            remote = await opened.enter_async_context(remote_at(url))
            assert await remote.execute("SET", "k", "old") == b"OK"
            old.command("REPLICAOF", "127.0.0.1", new.port)
            named[0] = new
            while isinstance(await outcome(remote, "SET", "k", "new"), RemoteError):
                await asyncio.sleep(0.01)
        assert new.command("GET", "k") == b"new"

    with RedisServer() as old, RedisServer() as new:
        run(story(old, new))


def test_the_password_of_the_sentinels_is_another_than_that_of_redis() -> None:
    async def story(url: str) -> None:
        for query, works in (("", False), ("?sentinel_password=watch-me", True), ("?sentinel_password=no", False)):
            async with remote_at(url + query, GENEROUS_S) as remote:
                assert isinstance(await outcome(remote, "SET", "k", 1), bytes) is works

    with SentinelSet(replicas=0, sentinels=1, password="open", sentinel_password="watch-me") as redis_set:
        run(story(redis_set.url))


@settings(max_examples=15, deadline=None)
@given(
    garbage=st.binary(max_size=60) | st.sampled_from([b"*2\r\n:1\r\n:2\r\n", b"*1\r\n$1\r\na\r\n", b":1\r\n", b"-\r\n"])
)
def test_nonsense_of_a_sentinel_is_an_error_of_ours(garbage: bytes) -> None:
    async def talk() -> None:
        async with liar(garbage) as port, remote_at(f"redis+sentinel://127.0.0.1:{port}/any", 0.02) as remote:
            for _ in range(2):
                assert isinstance(await outcome(remote, "GET", "k"), RemoteError)

    run(talk())


def test_a_failover_under_use_ends_by_itself() -> None:
    """SIGKILL of the primary: every command ends in time, later ones work again, and none of them had to try."""

    async def story(redis_set: SentinelSet) -> None:
        longest = 0.0
        async with remote_at(redis_set.url, TIMEOUT_S) as remote:
            while isinstance(await outcome(remote, "SET", "k", 1), RemoteError):
                await asyncio.sleep(0.01)
            await asyncio.to_thread(redis_set.wait_replicated)
            redis_set.kill_primary()
            failed_over = asyncio.ensure_future(asyncio.to_thread(redis_set.wait_failed_over))
            while not failed_over.done():
                began = time.perf_counter()
                await outcome(remote, "GET", "k")
                longest = max(longest, time.perf_counter() - began)
                await asyncio.sleep(0.002)
            new = await failed_over
            await until(lambda: remote.breaker_state == "closed")
            assert await remote.execute("GET", "k") == b"1", "what was replicated is there"
            assert await remote.execute("SET", "k", 2) == b"OK"
            assert new.command("GET", "k") == b"2"
        assert longest < 10 * TIMEOUT_S

    with SentinelSet() as redis_set:
        run(story(redis_set))
