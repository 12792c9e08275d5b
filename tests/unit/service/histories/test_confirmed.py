"""Accepted is kept: events and deletions that replicas must hold first, with a primary killed right afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import pytest
from histories_world import expected, numbered
from redis_server import RedisServer

from service.cache.redis import RedisRemote, connect
from service.cache.remote import RemoteError
from service.errors import StoreUnavailableError
from service.histories.protocol import Appended, Event
from service.histories.redis import RedisHistories

T = TypeVar("T")
TIMEOUT_S = 0.1
UNHEARD = "fewer than 1 of its replicas"


class Pair:
    """A primary and its replica, without anybody who would fail over."""

    def __init__(self) -> None:
        self.primary = RedisServer()
        self.replica = RedisServer(options={"replicaof": f"127.0.0.1 {self.primary.port}"})

    def connected(self) -> None:
        while b"master_link_status:up" not in self.replica.command("INFO", "replication"):
            time.sleep(0.01)

    def replace(self) -> str:
        """The primary is killed and the replica takes its place; the URL from here on."""
        self.primary.kill()
        self.replica.command("REPLICAOF", "NO", "ONE")
        return self.replica.url


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    with made.primary, made.replica:
        made.connected()
        yield made


@asynccontextmanager
async def store_at(
    url: str, confirm: int = 1, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[tuple[RedisHistories, RedisRemote]]:
    remote = connect(url, timeout_s)
    try:
        yield RedisHistories(remote, 1000, 90, confirm=confirm), remote
    finally:
        await remote.close()


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """As a caller does who is told 503."""
    while True:
        with suppress(StoreUnavailableError):
            return await call()
        await asyncio.sleep(0.02)


def test_what_was_accepted_outlives_the_primary(pair: Pair) -> None:
    async def story() -> None:
        accepted = list[Event]()
        async with store_at(pair.primary.url) as (store, _):
            killing: asyncio.Future[None] | None = None
            for event in numbered("ann", 5000):
                with suppress(StoreUnavailableError):
                    await store.append([event])
                    accepted.append(event)
                if len(accepted) == 100 and killing is None:
                    killing = asyncio.get_running_loop().run_in_executor(None, pair.primary.kill)
            assert killing is not None
            await killing
        async with store_at(pair.replace(), confirm=0) as (store, _):
            kept = set(await store.read("ann"))
            assert set(expected(accepted, "ann", 1000)) <= kept

    asyncio.run(story())


def test_what_no_replica_holds_is_not_accepted_and_may_be_sent_again(pair: Pair) -> None:
    async def story() -> None:
        events = numbered("ann", 3)
        async with store_at(pair.primary.url) as (store, remote):
            pair.replica.pause()
            for _ in range(2):  # a duplicate is accepted no sooner than what it repeats
                with pytest.raises(RemoteError, match=UNHEARD):
                    await store.append(events)
            assert remote.breaker_state == "closed", "Redis is well"
            assert await store.read("ann") == expected(events, "ann")
            pair.replica.resume()
            assert await again(lambda: store.append(events)) == Appended(0, 3)
        async with store_at(pair.replace(), confirm=0) as (store, _):
            assert await store.read("ann") == expected(events, "ann")

    asyncio.run(story())


def test_a_deletion_is_confirmed_too(pair: Pair) -> None:
    async def story() -> None:
        async with store_at(pair.primary.url) as (store, _):
            await again(lambda: store.append(numbered("ann", 3)))
            pair.replica.pause()
            with pytest.raises(RemoteError, match=UNHEARD):
                await store.forget("ann")
            pair.replica.resume()
            assert not await again(lambda: store.forget("ann")), "gone since the first attempt"
        assert pair.replica.command("KEYS", "*") == []

    asyncio.run(story())


def test_waiting_for_a_replica_keeps_nobody_else_waiting(pair: Pair) -> None:
    async def story() -> None:
        async with store_at(pair.primary.url, timeout_s=10) as (store, remote):
            pair.replica.pause()
            held_up = [asyncio.ensure_future(store.append(numbered(f"user {n}", 1))) for n in range(12)]
            for _ in range(200):
                assert await remote.execute("GET", "k") is None
            assert not any(one.done() for one in held_up)
            pair.replica.resume()
            assert await asyncio.gather(*held_up) == [Appended(1, 0)] * 12

    asyncio.run(story())


def test_without_replicas_nothing_is_accepted_that_asks_for_one() -> None:
    async def story(url: str) -> None:
        async with store_at(url) as (store, remote):
            with pytest.raises(RemoteError, match=UNHEARD):
                await store.append(numbered("ann", 1))
            assert remote.breaker_state == "closed"

    with RedisServer() as server:
        asyncio.run(story(server.url))


def test_a_redis_that_hangs_is_found_out_while_events_ask_for_replicas(pair: Pair) -> None:
    async def story() -> None:
        async with store_at(pair.primary.url) as (store, remote):
            await again(lambda: store.append(numbered("ann", 1)))
            pair.primary.pause()
            for _ in range(3):
                with pytest.raises(StoreUnavailableError):
                    await store.append(numbered("ann", 2))
            assert remote.breaker_state != "closed"

    asyncio.run(story())
