"""Redis refused, hung, slow, restarted, locked or talking nonsense: an error in time, soon at once, then recovery."""

import asyncio
import time

import pytest
from cache_world import GENEROUS_S, connections_received, liar, outcome, remote_at, run, until
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import DelayProxy, RedisServer

from service.cache.redis import CONNECTIONS, RedisRemote
from service.cache.remote import RemoteError
from service.errors import StoreUnavailableError

TIMEOUT_S = 0.2


async def timed(remote: RedisRemote) -> float:
    began = time.perf_counter()
    assert isinstance(await outcome(remote, "GET", "k"), RemoteError)
    return time.perf_counter() - began


async def opens(remote: RedisRemote) -> None:
    """The first failures cost at most the time-out each, then commands cost next to nothing."""
    for _ in range(10):
        assert await timed(remote) < 10 * TIMEOUT_S
    assert remote.breaker_state != "closed"
    took = sorted([await timed(remote) for _ in range(1000)])
    assert took[500] < TIMEOUT_S / 100


async def recovers(remote: RedisRemote) -> None:
    """By itself: no command has to try."""
    await until(lambda: remote.breaker_state == "closed")
    assert not isinstance(await outcome(remote, "SET", "k", 1), RemoteError)


@pytest.mark.parametrize("cluster", [False, True])
def test_refused_then_there(cluster: bool) -> None:
    async def come_up() -> None:
        async with remote_at(server.url, TIMEOUT_S) as remote:
            await opens(remote)
            server.start()
            await recovers(remote)

    server = RedisServer(cluster=cluster)
    try:
        run(come_up())
    finally:
        server.stop()


@pytest.mark.parametrize("cluster", [False, True])
def test_hung_then_back(cluster: bool) -> None:
    async def hang() -> None:
        async with remote_at(server.url, TIMEOUT_S) as remote:
            await until_answered(remote)
            server.pause()
            took = await asyncio.gather(*(timed(remote) for _ in range(200)))
            assert max(took) < 10 * TIMEOUT_S
            await opens(remote)
            await asyncio.sleep(3 * TIMEOUT_S)
            assert remote.breaker_state != "closed"
            server.resume()
            await recovers(remote)

    with RedisServer(cluster=cluster) as server:
        before = connections_received(server)
        run(hang())
        assert connections_received(server) - before < 2 * CONNECTIONS, "200 commands at once make no storm"


def test_restarted_between_two_commands_is_not_even_noticed() -> None:
    async def restart() -> None:
        async with remote_at(server.url) as remote:
            await asyncio.gather(*(remote.execute("SET", "k", 1) for _ in range(CONNECTIONS)))
            await asyncio.to_thread(server.restart)
            assert (
                await asyncio.gather(*(remote.execute("GET", "k") for _ in range(CONNECTIONS))) == [None] * CONNECTIONS
            )

    with RedisServer() as server:
        run(restart())


def test_slow_then_quick() -> None:
    async def slow_down() -> None:
        async with remote_at(f"redis://127.0.0.1:{proxy.port}", TIMEOUT_S) as remote:
            await until_answered(remote)
            proxy.delay_s = 3 * TIMEOUT_S
            await opens(remote)
            await asyncio.sleep(3 * TIMEOUT_S)
            assert remote.breaker_state != "closed"
            proxy.delay_s = 0
            await recovers(remote)

    with RedisServer() as server, DelayProxy(server.port) as proxy:
        run(slow_down())


@pytest.mark.parametrize(("account", "right"), [("", ""), (":wrong@", "wrong"), ("default:wrong@", "wrong")])
def test_wrong_password_until_it_is_the_right_one(account: str, right: str) -> None:
    async def locked_out() -> None:
        async with remote_at(f"redis://{account}127.0.0.1:{server.port}", TIMEOUT_S) as remote:
            await opens(remote)
            assert "wrong" not in str(await outcome(remote, "GET", "k"))
            server.command("CONFIG", "SET", "requirepass", right)
            await recovers(remote)
            server.password = right

    with RedisServer(password="another") as server:
        run(locked_out())


def test_a_database_that_is_not_there_is_a_failure_of_the_connection(redis: RedisServer) -> None:
    async def greet() -> None:
        async with remote_at(f"{redis.url}/99", TIMEOUT_S) as remote:
            await opens(remote)

    run(greet())


def test_a_cluster_that_lost_its_slots() -> None:
    async def lose() -> None:
        async with remote_at(server.url, TIMEOUT_S) as remote:
            await until_answered(remote)
            server.command("CLUSTER", "DELSLOTSRANGE", 0, 16383)
            await opens(remote)

    with RedisServer(cluster=True) as server:
        run(lose())


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
@settings(max_examples=25, deadline=None)
@given(garbage=st.binary(max_size=60) | st.sampled_from([b"$-5\r\n", b"*9\r\n", b"%3\r\n+a\r\n", b"-\r\n", b":1\r\n"]))
def test_nonsense_is_a_reply_or_an_error_of_ours(scheme: str, garbage: bytes) -> None:
    async def talk() -> None:
        async with liar(garbage) as port, remote_at(f"{scheme}://127.0.0.1:{port}", 0.02) as remote:
            for _ in range(3):
                await outcome(remote, "GET", "k")
                with_errors = remote.pipeline([("GET", "k"), ("GET", "k")])
                await asyncio.gather(with_errors, return_exceptions=True)

    run(talk())


def test_an_answer_unread_because_this_process_stood_still_is_no_failure() -> None:
    async def stand_still() -> None:
        async with remote_at(server.url, TIMEOUT_S) as remote:
            await until_answered(remote)
            for _ in range(5):
                asked = [asyncio.ensure_future(remote.execute("GET", "k")) for _ in range(CONNECTIONS)]
                await asyncio.sleep(0.01)
                asked += [asyncio.ensure_future(remote.execute("GET", "k")) for _ in range(CONNECTIONS)]
                await asyncio.sleep(0)
                time.sleep(2 * TIMEOUT_S)
                assert not any(isinstance(reply, Exception) for reply in await asyncio.gather(*asked))
            assert remote.breaker_state == "closed"

    with RedisServer() as server:
        run(stand_still())


def test_what_the_caller_is_told() -> None:
    async def ask() -> list[RemoteError]:
        async with remote_at("redis://127.0.0.1:1", GENEROUS_S) as remote:
            return [await outcome(remote, "GET", "k") for _ in range(5)]

    for error in run(ask()):
        assert isinstance(error, StoreUnavailableError)
        assert int(error.headers["Retry-After"]) >= 1
        assert not error.code


async def until_answered(remote: RedisRemote) -> None:
    while isinstance(await outcome(remote, "SET", "k", 1), RemoteError):
        await asyncio.sleep(0.01)
