"""Commands and replies over a real redis-server, alone and as a cluster, with what is bounded and what is refused."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cache_world import connections_received, outcome, remote_at, run
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from service.cache.redis import CONNECTIONS, connect
from service.cache.remote import RemoteError
from service.errors import SettingsError, StoreUnavailableError

SECRET = "s3cret/of:mine"


@pytest.fixture(scope="module")
def cluster_server() -> Iterator[RedisServer]:
    with RedisServer(cluster=True) as server:
        yield server


@pytest.fixture(params=["redis", "cluster_server"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    found: RedisServer = request.getfixturevalue(request.param)
    found.command("FLUSHALL")
    return found


def test_replies_come_as_the_server_sends_them(server: RedisServer) -> None:
    async def replies() -> None:
        async with remote_at(server.url) as remote:
            assert await remote.execute("GET", "k") is None
            assert await remote.execute("SET", "k", b"\x00\xff") == b"OK"
            assert await remote.execute("GET", b"k") == b"\x00\xff"
            assert await remote.execute("SET", "k", 1, "NX", "EX", 9) is None
            assert await remote.execute("ZADD", "z", 1.5, "m") == 1
            assert await remote.execute("ZRANGE", "z", 0, -1, "WITHSCORES") == [b"m", b"1.5"]
            assert await remote.execute("HSET", "h", "f", "v") == 1
            assert await remote.execute("HGETALL", "h") == [b"f", b"v"]
            assert await remote.execute("XADD", "x", "1-1", "f", "v") == b"1-1"
            assert await remote.execute("XRANGE", "x", "-", "+") == [[b"1-1", [b"f", b"v"]]]
            assert await remote.execute("EVAL", "return {1, KEYS[1], false}", 1, "k") == [1, b"k", None]

    run(replies())


def test_a_pipeline_keeps_its_order(server: RedisServer) -> None:
    async def piped() -> list[object]:
        async with remote_at(server.url) as remote:
            assert await remote.pipeline([]) == []
            sets = [("SET", f"k{number}", number) for number in range(50)]
            assert await remote.pipeline(sets) == [b"OK"] * 50
            return await remote.pipeline(
                [
                    *(("GET", f"k{number}") for number in range(50)),
                    ("EVAL", "return redis.call('INCR', KEYS[1])", 1, "k9"),
                ]
            )

    assert run(piped()) == [*(b"%d" % number for number in range(50)), 10]


@settings(max_examples=30, deadline=None)
@given(values=st.dictionaries(st.binary(min_size=1, max_size=40), st.binary(max_size=9000), max_size=8))
def test_any_bytes_come_back(redis_server: RedisServer, values: dict[bytes, bytes]) -> None:
    async def there_and_back() -> dict[bytes, bytes]:
        async with remote_at(redis_server.url) as remote:
            await remote.pipeline([("SET", key, value) for key, value in values.items()])
            return {key: await remote.execute("GET", key) for key in values}

    assert run(there_and_back()) == values


def test_an_error_reply_has_its_code_and_is_no_failure_of_redis(server: RedisServer) -> None:
    async def refused() -> None:
        async with remote_at(server.url) as remote:
            await remote.execute("ZADD", "z", 1, "m")
            for _ in range(20):
                for command, code in ((("GET", "z"), "WRONGTYPE"), (("EVALSHA", "0" * 40, 1, "z"), "NOSCRIPT")):
                    with pytest.raises(RemoteError) as alone:
                        await remote.execute(*command)
                    with pytest.raises(RemoteError) as among:
                        await remote.pipeline([("SET", "a", 1), command, ("SET", "b", 1)])
                    assert alone.value.code == among.value.code == code
            assert remote.breaker_state == "closed"
            assert await remote.execute("GET", "b") == b"1"

    run(refused())


def test_many_commands_at_once_share_few_connections(server: RedisServer) -> None:
    async def many() -> None:
        async with remote_at(server.url) as remote:
            replies = await asyncio.gather(*(remote.execute("INCR", f"k{number % 7}") for number in range(500)))
            assert sum(replies) == sum(sum(range(1, 1 + len(range(first, 500, 7)))) for first in range(7))

    before = connections_received(server)
    run(many())
    assert connections_received(server) - before <= CONNECTIONS + 2  # the extra: cluster layout, this very question


def test_a_caller_who_leaves_takes_no_connection_along(server: RedisServer) -> None:
    async def leave() -> None:
        async with remote_at(server.url) as remote:
            await remote.execute("SET", "k", 1)
            for _ in range(5):
                tasks = [asyncio.ensure_future(remote.execute("GET", "k")) for _ in range(3 * CONNECTIONS)]
                await asyncio.sleep(0.0005)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            assert await asyncio.gather(*(remote.execute("GET", "k") for _ in range(100))) == [b"1"] * 100
            assert remote.breaker_state == "closed"

    run(leave())


def test_account_database_and_socket_of_the_url_are_used(tmp_path: Path) -> None:
    class WithSocket(RedisServer):
        def _command(self) -> list[str]:
            return [*super()._command(), "--unixsocket", str(tmp_path / "s")]

    async def write(url: str, key: str) -> None:
        async with remote_at(url) as remote:
            await remote.execute("SET", key, 1)

    with WithSocket(password="open sesame") as server:
        run(write(f"redis://:open%20sesame@127.0.0.1:{server.port}/3", "a"))
        run(write(f"unix://{tmp_path}/s?db=4&password=open%20sesame", "b"))
        replies = server.commands([("SELECT", 3), ("KEYS", "*"), ("SELECT", 4), ("KEYS", "*")])
        assert replies == [b"OK", [b"a"], b"OK", [b"b"]]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://h",
        f"redis://:{SECRET}@h",
        "redis://h:port",
        "redis://h:70000",
        "redis://h/first",
        "redis://h?nonsense=1",
        "redis://[::1",
        "rediss://h?ssl_cert_reqs=some",
        "unix://",
        "redis+cluster://a:1,b:x",
        "redis+cluster://h/3",
        "redis+cluster://h?nonsense=1",
        "unix+cluster:///s",
    ],
)
def test_a_url_that_cannot_be_one_is_a_settings_error_without_its_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="PROMISE_REDIS_URL") as refused:
        connect(url, 0.03)
    assert not any(part in str(refused.value) for part in SECRET.split("/"))
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://u:p@h:1/2",
        "rediss://h?ssl_cert_reqs=none",
        "unix:///s?db=1",
        "redis://h?socket_timeout=9",
        "redis+cluster://u:p@h:1,[::1]:2",
        "rediss+cluster://h",
    ],
)
def test_making_a_remote_needs_no_redis(url: str) -> None:
    async def close() -> object:
        remote = connect(url, 0.03)
        await remote.close()
        return await outcome(remote, "GET", "k")

    closed = run(close())
    assert isinstance(closed, RemoteError)
    assert isinstance(closed, StoreUnavailableError)
