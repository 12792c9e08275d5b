"""The store in this process: bounded in users, and nothing outlives its retention."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from histories_world import events, expected, numbered
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidRequestError
from service.histories.memory import MemoryHistories
from service.histories.protocol import Appended, Event

Reply = TypeVar("Reply")


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(call: Coroutine[None, None, Reply]) -> Reply:
    return asyncio.run(call)


def held(store: MemoryHistories, users: str) -> str:
    """Of these users (one letter each), the ones that have a history. Reading uses them, in this order."""
    return "".join(user for user in users if run(store.read(user)))


def test_the_least_recently_used_user_leaves_first() -> None:
    store = MemoryHistories(items=10, days=1, users=2)
    run(store.append([Event("a", "x", 1.0), Event("b", "x", 1.0)]))
    assert held(store, "a") == "a"
    run(store.append([Event("c", "x", 1.0)]))
    assert (held(store, "abc"), len(store), store.evicted) == ("ac", 2, 1)


@given(st.lists(st.lists(events, max_size=6), max_size=8), st.integers(1, 3))
def test_the_bounds_hold_and_what_is_there_is_right(batches: list[list[Event]], users: int) -> None:
    store, seen, told = MemoryHistories(items=3, days=1, users=users), list[Event](), set[str]()
    for batch in batches:
        run(store.append(batch))
        seen += batch
        told |= {event.user_id for event in batch}
        assert len(store) <= users
        assert (store.evicted == 0) == (len(told) <= users)
    if not store.evicted:
        assert all(run(store.read(user)) == expected(seen, user, 3) for user in told)


def test_a_history_ends_so_many_days_after_its_last_new_event() -> None:
    clock = Clock()
    store = MemoryHistories(items=10, days=2, clock=clock)
    run(store.append([Event("a", "x", 1.0), Event("b", "x", 1.0)]))
    clock.now = 86_400
    assert run(store.append([Event("a", "y", 1.0), Event("b", "x", 1.0)])) == Appended(1, 1)
    clock.now = 2 * 86_400
    assert held(store, "ab") == "a"
    clock.now = 3 * 86_400
    assert held(store, "ab") == ""
    assert not run(store.forget("a"))


def test_reading_does_not_prolong_and_what_ended_is_not_kept() -> None:
    clock = Clock()
    store = MemoryHistories(items=10, days=1, clock=clock)
    run(store.append(numbered("a", 5)))
    clock.now = 86_399
    assert held(store, "a") == "a"
    clock.now = 86_400
    run(store.append([Event("b", "x", 1.0)]))
    assert (len(store), store.evicted) == (1, 0)
    assert "i1" not in repr(vars(store))


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), -float("inf")])
def test_a_timestamp_has_a_place_in_the_order(timestamp: float) -> None:
    with pytest.raises(InvalidRequestError, match="finite"):
        Event("a", "x", timestamp)


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0)])
def test_a_store_that_could_hold_nothing_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryHistories(items=bounds[0], days=1, users=bounds[1])
