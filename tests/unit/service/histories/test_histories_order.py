"""Both stores against the definition: neither the order of arrival nor replays change what is read."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from histories_world import ITEMS, USERS, batches, events, expected, numbered
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from service.cache.redis import connect
from service.histories.memory import MemoryHistories
from service.histories.protocol import Appended, Event, HistoryStore
from service.histories.redis import RedisHistories

FEW = settings(max_examples=40, deadline=None)


@dataclass(frozen=True)
class World:
    """Both stores, and the loop that the connections to Redis belong to."""

    runner: asyncio.Runner
    memory: MemoryHistories
    redis: RedisHistories

    @property
    def stores(self) -> tuple[HistoryStore, ...]:
        return (self.memory, self.redis)

    def append(self, batch: list[Event]) -> Appended:
        """To both stores, which count alike."""
        counts = {self.runner.run(store.append(batch)) for store in self.stores}
        assert len(counts) == 1
        return counts.pop()

    def read(self, user: str) -> tuple[str, ...]:
        """From both stores, which read alike."""
        readings = {self.runner.run(store.read(user)) for store in self.stores}
        assert len(readings) == 1
        return readings.pop()

    def forget(self) -> None:
        for user in USERS:
            assert len({self.runner.run(store.forget(user)) for store in self.stores}) == 1


@pytest.fixture(scope="module", params=[False, True], ids=["redis", "cluster"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with RedisServer(cluster=request.param) as server, asyncio.Runner() as runner:
        remote = connect(server.url, 10)
        yield World(runner, MemoryHistories(ITEMS, 1), RedisHistories(remote, ITEMS, 1))
        runner.run(remote.close())


@FEW
@given(batches)
def test_each_append_is_counted_and_read_as_defined(world: World, batches: list[list[Event]]) -> None:
    world.forget()
    seen: list[Event] = []
    for batch in batches:
        counted = world.append(batch)
        assert counted.accepted + counted.duplicates == len(batch)
        seen += batch
        for user in USERS:
            assert world.read(user) == expected(seen, user)


@FEW
@given(st.lists(events, max_size=12), st.data())
def test_any_order_with_replays_is_the_same_history(world: World, once: list[Event], data: st.DataObject) -> None:
    world.forget()
    replays = data.draw(st.lists(st.sampled_from(once), max_size=8)) if once else []
    arrivals = data.draw(st.permutations(once + replays))
    cut = data.draw(st.integers(0, len(arrivals)))
    world.append(arrivals[:cut])
    world.append(arrivals[cut:])
    assert {user: world.read(user) for user in USERS} == {user: expected(once, user) for user in USERS}


@FEW
@given(st.lists(events, max_size=ITEMS))
def test_a_replay_that_fits_is_all_duplicates(world: World, batch: list[Event]) -> None:
    world.forget()
    first, again = world.append(batch), world.append(batch)
    assert first.accepted == len(set(batch))
    assert again == Appended(0, len(batch))


@FEW
@given(batches, st.sampled_from(USERS))
def test_forgetting_one_user_leaves_the_others(world: World, batches: list[list[Event]], user: str) -> None:
    world.forget()
    for batch in batches:
        world.append(batch)
    seen = [event for batch in batches for event in batch]
    told = {world.runner.run(store.forget(user)) for store in world.stores}
    assert told == {bool(expected(seen, user))}
    assert world.read(user) == ()
    for other in set(USERS) - {user}:
        assert world.read(other) == expected(seen, other)


def test_a_call_may_name_very_many_users_or_very_many_events(world: World) -> None:
    users = [f"user {number}" for number in range(250)]
    assert world.append([Event(user, "a", 1.0) for user in users]) == Appended(250, 0)
    assert {world.read(user) for user in users} == {("a",)}
    crowd = numbered("many events", 5000)
    assert world.append(crowd[::-1]) == Appended(5000, 0)
    assert world.read("many events") == expected(crowd, "many events")


def test_an_event_of_the_future_is_the_newest(world: World) -> None:
    world.append([Event("clock", "now", 1.7e9), Event("clock", "tomorrow", 1.7e9 + 86_400)])
    world.append([Event("clock", "later", 1.7e9 + 60)])
    assert world.read("clock") == ("now", "later", "tomorrow")


def test_nothing_appended_is_nothing_stored(world: World) -> None:
    assert world.append([]) == Appended(0, 0)
    assert world.read("nobody") == ()
