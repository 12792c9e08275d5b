"""A cluster of three primaries: commands by key, slots that move, a node that hangs, one that is killed under use."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from cache_world import GENEROUS_S, cache_at, encoding, key_of, outcome, remote_at, run, until
from redis_server import ClusterSet, RedisServer

from service.cache.redis import RedisRemote, connect
from service.cache.remote import RemoteError
from service.experiments.feedback import Feedback
from service.experiments.stream import RedisLog
from service.experiments.tokens import Token
from service.histories.protocol import Appended, Event
from service.histories.redis import RedisHistories

TIMEOUT_S = 0.2
KEYS = [f"key {number}" for number in range(60)]
EVENTS = [Event(f"user {number % 20}", f"i{number}", float(number)) for number in range(100)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterSet]:
    with ClusterSet(timeout_ms=60_000) as started:  # in which nobody fails over: a test that stops a node resumes it
        yield started


def elsewhere(cluster: ClusterSet, key: str) -> tuple[RedisServer, RedisServer, int]:
    """The primary of the key, another one, and the key's slot."""
    source = cluster.primary_of(key)
    target = next(server for server in cluster.servers[:3] if server is not source)
    return source, target, source.command("CLUSTER", "KEYSLOT", key)


def test_every_key_finds_its_node_and_a_pipeline_keeps_its_order(cluster: ClusterSet) -> None:
    async def story() -> None:
        async with remote_at(cluster.url) as remote:
            assert await remote.pipeline([("SET", key, key) for key in KEYS]) == [b"OK"] * len(KEYS)
            assert await remote.pipeline([("GET", key) for key in KEYS]) == [key.encode() for key in KEYS]
            assert [await remote.execute("GET", key) for key in KEYS] == [key.encode() for key in KEYS]
            assert await remote.execute("PING") == b"PONG"
            with pytest.raises(RemoteError) as crossed:
                await remote.execute("DEL", *KEYS)
            assert crossed.value.code == "CROSSSLOT"

    run(story())
    assert len({cluster.primary_of(key).port for key in KEYS}) == 3


def test_all_stores_work_with_replicas_that_confirm(cluster: ClusterSet) -> None:
    async def story() -> None:
        async with remote_at(cluster.url) as remote, cache_at(cluster.url) as cache:
            store = RedisHistories(remote, 1000, 90, confirm=1)
            assert await store.append(EVENTS) == Appended(100, 0)
            assert await store.append(EVENTS[:50]) == Appended(0, 50)
            assert await store.read("user 3") == tuple(f"i{number}" for number in range(3, 100, 20))
            assert await store.forget("user 3")
            assert await store.read("user 3") == ()
            for number in range(20):
                cache.share(key_of(cache, number), encoding(number), "tiny@1")
            await until(lambda: cache.writes == 20)
            found = [await cache.get(key_of(cache, number), "tiny@1") for number in range(20)]
            assert {looked.result for looked in found} == {"hit"}
            await _feedback(remote)

    run(story())


async def _feedback(remote: RedisRemote) -> None:
    log = RedisLog(remote, "some events")
    log.start()
    token = Token("request", (), "k50", time.time(), "unit")
    one, other = Feedback(log, remote, 1000), Feedback(log, remote, 1000)
    clicks = [(replica, f"item {number}") for number in range(9) for replica in (one, other)]
    assert [await replica.record(token, item, "click") for replica, item in clicks] == [True, False] * 9
    await log.close()
    events, _ = await log.read()
    assert len(events) == 9


def test_a_slot_that_moved_is_followed(cluster: ClusterSet) -> None:
    async def story() -> None:
        async with remote_at(cluster.url) as remote:
            source, target, slot = elsewhere(cluster, "key 1")
            assert await remote.execute("SET", "key 2", "there") == b"OK"
            for owner, former in ((target, source), (source, target)):
                former.command("DEL", "key 1")
                for server in (owner, former):
                    server.command("CLUSTER", "SETSLOT", slot, "NODE", owner.command("CLUSTER", "MYID"))
                assert await remote.execute("SET", "key 1", owner.port) == b"OK"
                assert owner.command("GET", "key 1") == b"%d" % owner.port
                found = await remote.pipeline([("GET", "key 2"), ("GET", "key 1")], confirm=1)
                assert found == [b"there", b"%d" % owner.port]

    run(story())


def test_a_slot_that_is_moving_is_asked_for_where_it_goes(cluster: ClusterSet) -> None:
    async def story() -> None:
        async with remote_at(cluster.url) as remote:
            assert await remote.execute("SET", "key 5", "old") == b"OK"
            source.command("DEL", "key 5")  # as if it had gone over
            source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.command("CLUSTER", "MYID"))
            target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
            assert await remote.execute("SET", "key 5", "new") == b"OK"
            assert await remote.pipeline([("GET", "key 5"), ("GET", "key 6")], confirm=1) == [b"new", None]

    source, target, slot = elsewhere(cluster, "key 5")
    cluster.primary_of("key 6").command("DEL", "key 6")
    try:
        run(story())
    finally:
        for server in (source, target):
            server.command("CLUSTER", "SETSLOT", slot, "STABLE")


def test_one_node_that_hangs_soon_costs_nothing_and_the_others_nothing_at_all(cluster: ClusterSet) -> None:
    async def story() -> None:
        hung = cluster.primary_of("key 1")
        theirs = [key for key in KEYS if cluster.primary_of(key) is hung]
        others = [key for key in KEYS if key not in theirs]
        async with remote_at(cluster.url, TIMEOUT_S) as remote:
            for key in KEYS:
                while isinstance(await outcome(remote, "SET", key, 1), RemoteError):
                    await asyncio.sleep(0.01)
            hung.pause()
            took = list[float]()
            for number in range(100):
                took.append(await _took(remote, theirs[0]))
                for key in others[number % 9 : number % 9 + 2]:
                    assert await outcome(remote, "GET", key) == b"1"
            assert max(took) < 10 * TIMEOUT_S
            assert sorted(took)[50] < TIMEOUT_S / 20
            assert remote.breaker_state == "closed"
            hung.resume()
            while isinstance(await outcome(remote, "GET", theirs[0]), RemoteError):
                await asyncio.sleep(0.01)

    try:
        run(story())
    finally:
        for server in cluster.servers:
            server.resume()


async def _took(remote: RedisRemote, key: str) -> float:
    began = time.perf_counter()
    assert isinstance(await outcome(remote, "GET", key), RemoteError)
    return time.perf_counter() - began


def test_seeds_that_are_not_there_are_passed_over(cluster: ClusterSet) -> None:
    async def story(url: str) -> None:
        async with remote_at(url, GENEROUS_S) as remote:
            assert await remote.execute("SET", "key 1", 1) == b"OK"

    run(story(f"redis+cluster://127.0.0.1:1,127.0.0.1:2,127.0.0.1:{cluster.servers[4].port}"))


@pytest.mark.faults
@pytest.mark.parametrize("harm", [RedisServer.kill, RedisServer.pause])
def test_a_failover_under_use_loses_nothing_that_was_accepted(harm: Callable[[RedisServer], None]) -> None:
    async def story(cluster: ClusterSet) -> None:
        remote = connect(cluster.url, TIMEOUT_S)
        store, accepted = RedisHistories(remote, 1000, 90, confirm=1), list[Event]()
        while isinstance(await outcome(remote, "SET", "k", 1), RemoteError):
            await asyncio.sleep(0.01)
        victim = cluster.primary
        until_s = time.monotonic() + 8
        for number in range(1_000_000):
            event = Event(f"user {number % 30}", f"i{number}", float(number))
            began = time.monotonic()
            try:
                await store.append([event])
                accepted.append(event)
            except RemoteError:
                await asyncio.sleep(0.002)
            assert time.monotonic() - began < 10 * TIMEOUT_S
            if number == 300:
                harm(victim)
            if began > until_s:
                break
        await asyncio.to_thread(cluster.wait_failed_over)
        await until(lambda: remote.breaker_state == "closed")
        victim.resume()
        for user in range(30):
            mine = {event.item_id for event in accepted[-9000:] if event.user_id == f"user {user}"}
            assert mine
            assert mine <= set(await _read(store, f"user {user}"))
        await remote.close()

    with ClusterSet() as cluster:
        run(story(cluster))


async def _read(store: RedisHistories, user: str) -> tuple[str, ...]:
    while True:
        with suppress(RemoteError):
            return await store.read(user)
        await asyncio.sleep(0.05)
