"""The store in Redis: atomic for each user, retained for so many days, forgotten without a trace, honest when down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from histories_world import expected, numbered
from redis_server import RedisServer

from service.cache.redis import connect
from service.errors import StoreUnavailableError
from service.histories.protocol import Appended, Event
from service.histories.redis import RedisHistories

DAYS = 90
LIFE_S = DAYS * 86_400
Work = Callable[[RedisHistories], Awaitable[object]]


@asynccontextmanager
async def connected(server: RedisServer, items: int = 1000, timeout_s: float = 10) -> AsyncIterator[RedisHistories]:
    remote = connect(server.url, timeout_s)
    try:
        yield RedisHistories(remote, items, DAYS)
    finally:
        await remote.close()


def keys(server: RedisServer) -> list[bytes]:
    found: list[bytes] = server.command("KEYS", "*")
    return found


def only_key(server: RedisServer) -> bytes:
    (key,) = keys(server)
    return key


def test_a_new_event_prolongs_the_life_and_a_duplicate_does_not(redis: RedisServer) -> None:
    async def story() -> None:
        async with connected(redis) as store:
            await store.append(numbered("ann", 2))
            assert LIFE_S - 60 < redis.command("TTL", only_key(redis)) <= LIFE_S
            redis.command("EXPIRE", only_key(redis), 1000)
            assert await store.append(numbered("ann", 2)) == Appended(0, 2)
            assert redis.command("TTL", only_key(redis)) <= 1000
            await store.append(numbered("ann", 3))
            assert redis.command("TTL", only_key(redis)) > 1000

    asyncio.run(story())


def test_what_is_over_the_limit_does_not_stay_in_redis(redis: RedisServer) -> None:
    async def story() -> None:
        async with connected(redis, items=3) as store:
            await store.append(numbered("ann", 10))
            assert redis.command("ZCARD", only_key(redis)) == 3
        async with connected(redis, items=2) as store:
            assert await store.read("ann") == ("i8", "i9")

    asyncio.run(story())


def test_forgetting_leaves_nothing(redis: RedisServer) -> None:
    async def story() -> None:
        async with connected(redis) as store:
            assert not await store.forget("ann")
            await store.append([*numbered("ann", 50), *numbered("bob", 1)])
            assert len(keys(redis)) == 2
            assert await store.forget("ann")
            assert len(keys(redis)) == 1
            assert await store.read("bob") == ("i0",)
            assert await store.forget("bob")
            assert not await store.forget("bob")
            assert not keys(redis)

    asyncio.run(story())


def test_appends_at_once_lose_nothing(redis: RedisServer) -> None:
    async def story() -> None:
        crowd = numbered("ann", 400)
        async with connected(redis, items=300) as one, connected(redis, items=300) as other:
            parts = [(one, other)[at % 2].append(crowd[at : at + 15]) for at in range(0, 400, 10)]  # half overlap
            counts = await asyncio.gather(*parts)
            assert sum(count.accepted for count in counts) >= 400
            assert await one.read("ann") == await other.read("ann") == expected(crowd, "ann", 300)

    asyncio.run(story())


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


EVENTS = [*numbered("ann", 3), *numbered("bob", 3)]
CALLS: dict[str, Work] = {
    "append": lambda store: store.append(EVENTS),
    "read": lambda store: store.read("ann"),
    "forget": lambda store: store.forget("ann"),
}


@pytest.mark.parametrize("harm", [RedisServer.kill, RedisServer.pause])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_redis_every_call_says_so(own_server: RedisServer, call: Work, harm: Callable[..., None]) -> None:
    async def story() -> None:
        async with connected(own_server, timeout_s=0.2) as store:
            harm(own_server)
            with pytest.raises(StoreUnavailableError) as caught:
                await call(store)
            assert caught.value.retry_after_s >= 1

    asyncio.run(story())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_password_that_is_wrong_is_said_too(call: Work) -> None:
    async def story(server: RedisServer) -> None:
        remote = connect(f"redis://:wrong@127.0.0.1:{server.port}", 10)
        with pytest.raises(StoreUnavailableError):
            await call(RedisHistories(remote, 10, DAYS))
        await remote.close()

    with RedisServer(password="right") as server:
        asyncio.run(story(server))


def test_a_full_redis_refuses_rather_than_drops(own_server: RedisServer) -> None:
    async def story() -> None:
        async with connected(own_server) as store:
            await store.append(EVENTS)
            own_server.command("CONFIG", "SET", "maxmemory", 1)
            with pytest.raises(StoreUnavailableError):
                await store.append(numbered("ann", 5))
            assert await store.read("ann") == expected(EVENTS, "ann")
            assert await store.forget("ann")

    asyncio.run(story())


def test_a_foreign_value_under_the_key_harms_no_other_user(redis: RedisServer) -> None:
    async def story() -> None:
        async with connected(redis) as store:
            await store.append(EVENTS[:1])
            redis.command("SET", only_key(redis), "garbage")
            for call in (CALLS["append"], CALLS["read"]):
                with pytest.raises(StoreUnavailableError):
                    await call(store)
            assert await store.read("bob") == expected(EVENTS, "bob")
            assert await store.forget("ann")
            redis.command("ZADD", only_key(redis), 9e9, b"\xff\xfe")
            assert (await store.read("bob"))[:3] == expected(EVENTS, "bob")

    asyncio.run(story())


def test_what_was_acknowledged_around_an_outage_is_there(own_server: RedisServer) -> None:
    """Appends go on while Redis hangs and comes back; replaying the refused ones completes the history."""

    async def story() -> None:
        crowd, kept = numbered("ann", 60), list[Event]()
        async with connected(own_server, timeout_s=0.3) as store:
            for at, event in enumerate(crowd):
                if at == 20:
                    own_server.pause()
                if at == 25:
                    own_server.resume()
                with suppress(StoreUnavailableError):
                    await store.append([event])
                    kept.append(event)
        assert 0 < len(kept) < 60
        async with connected(own_server) as store:
            assert set(expected(kept, "ann", 60)) <= set(await store.read("ann"))
            await store.append(crowd)
            assert await store.read("ann") == expected(crowd, "ann", 60)

    asyncio.run(story())
