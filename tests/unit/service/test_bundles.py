"""Slots: whatever fails keeps what served, rollback returns to the very object, changes wait for each other."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.bundles import Bundles
from service.engine.revision import Change
from service.errors import ConflictError, NotFoundError, StartError
from service.served import Served

NAMES = ("beauty", "toys", "made")
KEEP = 2
NOTHING: Any = None
CHANGE = Change(retire=("x",))


def served(slot: str, version: str, path: Path | None) -> Served:
    """A label in a slot; nothing here looks inside."""
    empty = dict.fromkeys(("catalogue", "trie", "ladder", "controller", "searcher"), NOTHING)
    return Served(slot=slot, name=slot, version=version, history_limit=1, encoder="", path=path, **empty)


class Workshop:
    """Opens, revises and warms up; fails when told to, and notes how many do so at once."""

    def __init__(self) -> None:
        self.made = 0
        self.fails: str | None = None
        self.busy = self.busiest = 0
        self.seen: list[tuple[str, Served]] = []
        self.bundles = Bundles(
            {name: served(name, "0", None if name == "made" else Path(name)) for name in NAMES},
            self.open,
            self.revise,
            self.warm,
            keep=KEEP,
        )
        self.bundles.on_change = lambda name, now: self.seen.append((name, now))

    def open(self, path: Path) -> Served:
        return self.make("open", path.name, path)

    def revise(self, current: Served, change: Change) -> Served:
        assert change is CHANGE
        return self.make("revise", current.slot, current.path)

    async def warm(self, fresh: Served) -> None:
        self.begin()
        await asyncio.sleep(0)
        self.end("warm")
        assert fresh not in self.serving(), "warmed up before it serves"

    def make(self, step: str, slot: str, path: Path | None) -> Served:
        assert threading.current_thread() is not threading.main_thread(), "the event loop goes on meanwhile"
        self.begin()
        self.made += 1
        self.end(step)
        return served(slot, str(self.made), path)

    def begin(self) -> None:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)

    def end(self, step: str) -> None:
        self.busy -= 1
        if self.fails == step:
            raise StartError(f"{step} failed")

    def serving(self) -> list[Served]:
        return [self.bundles.get(name) for name in self.bundles.names]


class Slots(RuleBasedStateMachine):
    """Against lists: the last of each is what serves, at most KEEP before it can be returned to."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.shop = Workshop()
        self.slots = self.shop.bundles
        self.stacks = {name: [self.slots.get(name)] for name in NAMES}

    names = st.sampled_from(NAMES)

    @rule(name=names, path=st.none() | st.just(Path("elsewhere")))
    def reload(self, name: str, path: Path | None) -> None:
        if name == "made" and path is None and self.stacks[name][-1].path is None:
            self.refused(ConflictError, lambda: self.slots.reload(name, path))
            return
        before = self.stacks[name][-1]
        fresh = self.runner.run(self.slots.reload(name, path))
        assert (fresh.slot, fresh.path) == (name, path or before.path)
        self.swapped(name, fresh)

    @rule(name=names)
    def revise(self, name: str) -> None:
        self.swapped(name, self.runner.run(self.slots.revise(name, CHANGE)))

    @rule(name=names)
    def rollback(self, name: str) -> None:
        if len(self.stacks[name]) == 1:
            self.refused(ConflictError, lambda: self.slots.rollback(name))
            return
        self.stacks[name].pop()
        assert self.runner.run(self.slots.rollback(name)) is self.stacks[name][-1]
        assert self.shop.seen[-1] == (name, self.stacks[name][-1])

    @rule(name=names, step=st.sampled_from(["open", "revise", "warm"]))
    def fail(self, name: str, step: str) -> None:
        self.shop.fails = step
        reload = step == "open"
        self.refused(
            StartError,
            lambda: self.slots.reload(name, Path("bad")) if reload else self.slots.revise(name, CHANGE),
        )
        self.shop.fails = None

    @rule()
    def nobody(self) -> None:
        for change in (self.slots.reload("?"), self.slots.rollback("?"), self.slots.revise("?", CHANGE)):
            with pytest.raises(NotFoundError, match="there are: beauty, toys, made"):
                self.runner.run(change)

    @rule(chosen=st.lists(names, min_size=2, max_size=5))
    def together(self, chosen: list[str]) -> None:
        async def all_at_once() -> list[Served]:
            return await asyncio.gather(*(self.slots.revise(name, CHANGE) for name in chosen))

        for name, fresh in zip(chosen, self.runner.run(all_at_once()), strict=True):
            self.push(name, fresh)

    @invariant()
    def what_serves_is_the_last(self) -> None:
        for name, stack in self.stacks.items():
            assert self.slots.get(name) is stack[-1]
            assert self.slots.former(name) == tuple(stack[:-1])
        assert self.slots.get() is self.stacks["beauty"][-1]
        assert self.shop.busiest <= 1

    def refused(self, error: type[Exception], change: Callable[[], Any]) -> None:
        changes = len(self.shop.seen)
        with pytest.raises(error):
            self.runner.run(change())
        assert len(self.shop.seen) == changes

    def swapped(self, name: str, fresh: Served) -> None:
        assert self.shop.seen[-1] == (name, fresh)
        self.push(name, fresh)

    def push(self, name: str, fresh: Served) -> None:
        self.stacks[name] = [*self.stacks[name], fresh][-(KEEP + 1) :]

    def teardown(self) -> None:
        self.runner.close()


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


class Slow(Workshop):
    """Opens when it may."""

    def __init__(self) -> None:
        self.may, self.entered = threading.Event(), threading.Event()
        super().__init__()

    def open(self, path: Path) -> Served:
        self.entered.set()
        assert self.may.wait(30)
        return super().open(path)


async def opening(shop: Slow) -> asyncio.Task[Served]:
    """A reload that is in the middle of opening."""
    task = asyncio.create_task(shop.bundles.reload("beauty"))
    while not shop.entered.is_set():
        await asyncio.sleep(0.001)
    return task


def test_the_old_one_answers_until_the_new_one_is_ready() -> None:
    async def story() -> None:
        shop = Slow()
        old = shop.bundles.get()
        task = await opening(shop)
        assert shop.bundles.get() is old
        assert not shop.seen
        shop.may.set()
        assert await task is shop.bundles.get() is not old

    asyncio.run(story())


def test_a_change_outlives_its_caller_and_the_next_one_waits_for_it() -> None:
    async def story() -> None:
        shop = Slow()
        task = await opening(shop)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        waiting = asyncio.create_task(shop.bundles.revise("beauty", CHANGE))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        shop.may.set()
        last = await waiting
        assert [now.version for _, now in shop.seen] == ["1", "2"]
        assert (shop.bundles.get(), shop.busiest) == (last, 1)

    asyncio.run(story())


def test_a_change_that_fails_without_its_caller_leaves_no_trace() -> None:
    async def story() -> None:
        shop, complaints = Slow(), list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, facts: complaints.append(facts["message"]))
        old, shop.fails = shop.bundles.get(), "open"
        task = await opening(shop)
        task.cancel()
        await asyncio.sleep(0)
        shop.may.set()
        with pytest.raises(ConflictError):
            await shop.bundles.rollback("beauty")
        assert shop.bundles.get() is old
        assert not complaints

    asyncio.run(story())


def test_there_must_be_something_to_serve() -> None:
    shop = Workshop()
    with pytest.raises(ValueError, match="at least one"):
        Bundles({}, shop.open, shop.revise, shop.warm)
    assert shop.bundles.names == NAMES
    with pytest.raises(NotFoundError):
        shop.bundles.get("?")
