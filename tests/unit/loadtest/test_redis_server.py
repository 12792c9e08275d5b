"""The redis-server of tests and benchmarks does what its name says, and the slow way to it is slow."""

import time
from collections.abc import Iterator

import pytest
from redis_server import DelayProxy, RedisError, RedisServer, talk

SHORT_S = 0.2


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


def test_values_and_errors_come_back(server: RedisServer) -> None:
    value = bytes(range(256))
    assert server.commands([("SET", "a", value), ("GET", "a"), ("INCRBY", "n", 3)]) == [b"OK", value, 3]
    with pytest.raises(RedisError, match="unknown command"):
        server.command("NONSENSE")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        server.commands([("SET", "a", 1), ("RPUSH", "a", 1)])


def test_a_paused_server_says_nothing_and_goes_on_afterwards(server: RedisServer) -> None:
    server.command("SET", "a", 1)
    server.pause()
    with pytest.raises(RedisError, match="timed out"):
        talk(server.port, [("GET", "a")], SHORT_S)
    server.resume()
    assert server.command("GET", "a") == b"1"


def test_a_killed_server_refuses_and_comes_back_empty_on_its_port(server: RedisServer) -> None:
    port, pid = server.port, server.pid
    server.command("SET", "a", 1)
    server.kill()
    with pytest.raises(RedisError, match="refused"):
        server.command("GET", "a")
    server.restart()
    assert (server.port, server.command("GET", "a")) == (port, None)
    assert server.pid != pid


def test_a_password_is_asked_for() -> None:
    with RedisServer(password="secret") as server:
        assert server.command("PING") == b"PONG"
        assert ":secret@" in server.url
        with pytest.raises(RedisError, match="NOAUTH"):
            talk(server.port, [("PING",)])


def test_a_cluster_of_one_owns_all_slots() -> None:
    with RedisServer(cluster=True) as server:
        assert server.command("SET", "a", 1) == b"OK"
        assert server.command("CLUSTER", "SLOTS")[0][:2] == [0, 16383]


def test_the_proxy_is_as_slow_as_it_is_told(server: RedisServer) -> None:
    with DelayProxy(server.port) as proxy:
        assert talk(proxy.port, [("PING",)]) == [b"PONG"]
        proxy.delay_s = 0.3
        begun = time.monotonic()
        assert talk(proxy.port, [("PING",)] * 50) == [b"PONG"] * 50
        assert time.monotonic() - begun >= 0.3
        with pytest.raises(RedisError, match="timed out"):
            talk(proxy.port, [("PING",)], SHORT_S)
        proxy.delay_s = 0.0
        assert talk(proxy.port, [("GET", "absent"), ("PING",)]) == [None, b"PONG"]


def test_the_proxy_carries_large_values_whole(server: RedisServer) -> None:
    value = bytes(range(256)) * 4000
    with DelayProxy(server.port, delay_s=0.01) as proxy:
        assert talk(proxy.port, [("SET", "large", value), ("GET", "large")]) == [b"OK", value]


def test_a_proxy_to_nowhere_closes_its_connections(server: RedisServer) -> None:
    with DelayProxy(server.port) as proxy:
        proxy.target_port = 1
        with pytest.raises(RedisError):
            talk(proxy.port, [("PING",)])


def test_the_fixture_is_empty(redis: RedisServer) -> None:
    assert redis.command("DBSIZE") == 0
    redis.command("SET", "left", "over")
