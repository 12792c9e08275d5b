"""TLS and accounts with real servers: who proves nothing gets nothing, no answer is lost, no password is told."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cache_world import cache_at, encoding, key_of, outcome, remote_at, run, until
from redis_server import RedisServer
from secure_world import PASSWORD, Certificate, Secured

from loadtest.bench.redis_sets import SERVICE, SentinelServer
from service.cache.redis import connect
from service.cache.remote import RemoteError
from service.errors import SettingsError
from service.histories.protocol import Appended, Event
from service.histories.redis import RedisHistories

T = TypeVar("T")
ACL = Path(__file__).resolve().parents[4] / "service" / "ops" / "redis.acl"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    return Secured(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(secured: Secured) -> Iterator[RedisServer]:
    with RedisServer(PASSWORD, options=secured.right.options(secured.port)) as started:
        yield started


async def settled(story: Coroutine[Any, Any, T]) -> T:
    """The loop lives a little longer than the story: a TLS connection that was given up says goodbye first."""
    found = await story
    await asyncio.sleep(0.1)
    return found


def url(secured: Secured, ca: Certificate | None, password: str = PASSWORD, more: str = "") -> str:
    query = f"?ssl_ca_certs={ca.cert}" if ca else "?"
    return f"rediss://:{password}@127.0.0.1:{secured.port}/0{query}{more}"


@pytest.mark.usefixtures("server")
def test_a_server_that_proves_itself_is_used(secured: Secured) -> None:
    async def story() -> None:
        async with cache_at(url(secured, secured.right)) as cache:
            cache.share(key_of(cache, 1), encoding(1), "tiny@1")
            await until(lambda: cache.writes == 1)
            assert (await cache.get(key_of(cache, 1), "tiny@1")).result == "hit"

    run(settled(story()))


@pytest.mark.parametrize("harm", ["another authority", "no authority", "wrong password", "no TLS", "another host"])
def test_without_proof_nothing_is_sent_and_no_answer_is_lost(
    secured: Secured, server: RedisServer, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    urls = {
        "another authority": url(secured, secured.wrong),
        "no authority": url(secured, None),
        "wrong password": url(secured, secured.right, PASSWORD + "-not"),
        "no TLS": f"rediss://:{PASSWORD}@127.0.0.1:{server.port}?ssl_ca_certs={secured.right.cert}",
        "another host": url(secured, secured.right).replace("127.0.0.1", "localhost"),
    }

    async def story() -> list[str]:
        async with cache_at(urls[harm], timeout_s=0.2) as cache, remote_at(urls[harm], 0.2) as remote:
            said = list[str]()
            for _ in range(4):
                looked = await cache.get(key_of(cache, 1), "tiny@1")
                assert (looked.memory, looked.result) == (None, "error")
                error = await outcome(remote, "GET", "k")
                assert isinstance(error, RemoteError)
                said += [repr(error), error.detail, repr(error.__cause__), repr(error.__context__)]
            assert remote.breaker_state != "closed"
            return said

    asked = server.command("INFO", "commandstats").count(b"cmdstat_get")
    told = run(settled(story()))
    assert not [line for line in (*told, caplog.text) if PASSWORD in line]
    assert server.command("INFO", "commandstats").count(b"cmdstat_get") == asked


def test_a_server_may_ask_for_a_certificate_too(secured: Secured) -> None:
    async def story() -> None:
        with_own = f"&ssl_certfile={secured.right.cert}&ssl_keyfile={secured.right.key}"
        for more, works in (("", False), (with_own, True)):
            async with remote_at(mutual + more) as remote:
                assert isinstance(await outcome(remote, "SET", "k", 1), bytes) is works

    with RedisServer() as plain:
        port = plain.port
    mutual = f"rediss://127.0.0.1:{port}?ssl_ca_certs={secured.right.cert}"
    asking = secured.right.options(port, ("tls-auth-clients", "yes"))
    with RedisServer(options=asking):
        run(settled(story()))


def test_sentinels_speak_tls_as_the_primary_does(secured: Secured, server: RedisServer) -> None:
    async def story(sentinel: RedisServer) -> None:
        for ca, works in ((secured.right, True), (secured.wrong, False)):
            hosts = f"127.0.0.1:{sentinel.options['tls-port']}/{SERVICE}"
            query = f"?ssl_ca_certs={ca.cert}&sentinel_password=watch"
            async with remote_at(f"rediss+sentinel://:{PASSWORD}@{hosts}{query}") as remote:
                assert isinstance(await outcome(remote, "SET", "k", 1), bytes) is works

    assert server.alive
    with RedisServer() as free, RedisServer() as other:
        port, own = free.port, other.port
    options = secured.right.options(own)
    lines = [f"{name} {value}" for name, value in options.items()]
    lines += [f"sentinel auth-pass {SERVICE} {PASSWORD}"]
    sentinel = SentinelServer(port, secured.port, [port], lines, "watch")
    sentinel.options = options
    with sentinel:
        run(settled(story(sentinel)))


@pytest.mark.faults
def test_a_cluster_speaks_tls_between_its_nodes_and_to_us(secured: Secured) -> None:
    async def story(port: int) -> None:
        for ca, works in ((secured.right, True), (secured.wrong, False)):
            async with remote_at(f"rediss+cluster://127.0.0.1:{port}?ssl_ca_certs={ca.cert}") as remote:
                assert isinstance(await outcome(remote, "SET", "k", 1), bytes) is works

    with RedisServer() as free:
        port = free.port
    with RedisServer(cluster=True, options=secured.right.options(port, ("tls-cluster", "yes"))):
        run(settled(story(port)))


def test_a_file_that_is_not_there_is_told_at_the_start_and_nothing_else_of_the_url(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ssl_ca_certs") as refused:
        connect(f"rediss://:{PASSWORD}@h?ssl_ca_certs={tmp_path}/none", 0.03)
    assert PASSWORD not in str(refused.value)


def test_an_account_that_may_do_what_the_service_needs_and_nothing_else(tmp_path: Path) -> None:
    """Every store, under exactly the rights that the deployment gives."""
    rights = ACL.read_text("utf-8").replace("PASSWORD", PASSWORD)
    (tmp_path / "users.acl").write_text(f"user default on nopass ~* &* +@all\n{rights}")

    async def story(server: RedisServer) -> None:
        address = f"redis://promise:{PASSWORD}@127.0.0.1:{server.port}"
        async with remote_at(address) as remote, cache_at(address + "/0") as cache:
            store = RedisHistories(remote, 100, 90)
            assert await store.append([Event("ann", f"i{n}", float(n)) for n in range(200)]) == Appended(200, 0)
            assert len(await store.read("ann")) == 100
            assert await store.forget("ann")
            cache.share(key_of(cache, 1), encoding(1), "tiny@1")
            await until(lambda: cache.writes == 1)
            assert (await cache.get(key_of(cache, 1), "tiny@1")).result == "hit"
            assert await remote.execute("SET", "promise:f:0", 1, "NX", "EX", 9) == b"OK"
            assert await remote.execute("XADD", "promise:events", "MAXLEN", "~", 9, "*", "event", b"{}")
            [[place, _]] = await remote.execute("XRANGE", "promise:events", "-", "+", "COUNT", 9)
            assert await remote.execute("XDEL", "promise:events", place) == 1
            assert await remote.execute("PING") == b"PONG"
            assert (await remote.execute("ROLE"))[0] == b"master"
            assert await remote.pipeline([("GET", "promise:probe"), ("WAIT", 0, 1)]) == [None, 0]
            for command in (("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST")):
                assert (await outcome(remote, *command)).code == "NOPERM"
        with pytest.raises(AssertionError):
            async with remote_at(address.replace(PASSWORD, "guessed")) as remote:
                assert not isinstance(await outcome(remote, "GET", "promise:probe"), RemoteError)

    with RedisServer(options={"aclfile": str(tmp_path / "users.acl")}) as server:
        asyncio.run(story(server))
