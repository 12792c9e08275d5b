"""One look-up at a time, a bounded number waiting, words kept for each slot's present version."""

import asyncio
import threading
from dataclasses import replace

import pytest
from fake_service import opened

from service.api import desk as desks
from service.api.desk import Desk
from service.errors import OverloadedError


def test_only_one_works_and_beside_the_event_loop() -> None:
    active, most, loop_thread = 0, 0, threading.get_ident()

    def work() -> int:
        nonlocal active, most
        active += 1
        most = max(most, active)
        threading.Event().wait(0.002)
        active -= 1
        return threading.get_ident()

    async def crowd() -> list[int]:
        desk = Desk()
        return await asyncio.gather(*(desk.ask(work) for _ in range(10)))

    assert loop_thread not in asyncio.run(crowd())
    assert most == 1


def test_too_many_are_refused_and_the_next_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "WAITING", 3)
    go = threading.Event()

    async def crowd() -> tuple[list[bool | BaseException], bool]:
        desk = Desk()
        asked = [asyncio.create_task(desk.ask(lambda: go.wait(5))) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        first = await asyncio.gather(*asked, return_exceptions=True)
        return first, await desk.ask(go.is_set)

    first, later = asyncio.run(crowd())
    refused = [one for one in first if isinstance(one, OverloadedError)]
    assert (first.count(True), len(refused), later) == (3, 2, True)
    assert refused[0].headers == {"Retry-After": "1"}


def test_work_that_fails_leaves_the_desk_open() -> None:
    def fails() -> None:
        raise ValueError("no")

    async def twice() -> int:
        desk = Desk()
        for _ in range(desks.WAITING + 1):
            with pytest.raises(ValueError, match="no"):
                await desk.ask(fails)
        return await desk.ask(lambda: 7)

    assert asyncio.run(twice()) == 7


def test_words_are_made_once_a_version_and_the_old_ones_let_go() -> None:
    with opened() as runtime:
        desk, served = Desk(), runtime.bundles.get()
        first = desk.words(served)
        assert desk.words(served) is first
        second = desk.words(replace(served, version="2"))
        assert second is not first
        assert len(desk._words) == 1
