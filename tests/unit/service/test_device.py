"""One thread, in order; expired work never runs, running work is waited for."""

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from service.engine.device import Device, ExpiredError
from service.search.guided import Deadline

NEVER = Deadline()


@pytest.fixture
def device() -> Iterator[Device]:
    opened = Device()
    yield opened
    opened.close()


def soon() -> Deadline:
    return Deadline(time.perf_counter() + 0.02)


def test_work_runs_in_order_on_one_thread_of_its_own(device: Device) -> None:
    async def many() -> list[tuple[int, str]]:
        def work(number: int) -> tuple[int, str]:
            order.append(number)
            return number, threading.current_thread().name

        order: list[int] = []
        done = await asyncio.gather(*(device.run(partial(work, number), NEVER) for number in range(20)))
        assert order == list(range(20))
        assert all(one.queue_s >= 0 for one in done)
        return [one.value for one in done]

    results = asyncio.run(many())
    assert [number for number, _ in results] == list(range(20))
    assert {name for _, name in results} == {device.call(lambda: threading.current_thread().name)}
    assert threading.current_thread().name not in {name for _, name in results}


def test_what_waits_past_its_deadline_never_runs(device: Device) -> None:
    ran: list[str] = []
    gate = threading.Event()

    async def crowd() -> None:
        first = asyncio.create_task(device.run(gate.wait, NEVER))
        await asyncio.sleep(0)
        with pytest.raises(ExpiredError):
            await device.run(lambda: ran.append("late"), soon())
        gate.set()
        await first

    asyncio.run(crowd())
    device.call(lambda: None)
    assert ran == []


def test_what_runs_at_its_deadline_is_waited_for(device: Device) -> None:
    started, gate = threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        gate.wait()
        return "done"

    async def wait() -> str:
        task = asyncio.create_task(device.run(work, soon()))
        while not started.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert not task.done()
        assert device.busy_s() > 0
        gate.set()
        return (await task).value

    assert asyncio.run(wait()) == "done"
    device.call(lambda: None)
    assert device.busy_s() == 0


def test_an_error_reaches_the_caller_and_the_thread_lives_on(device: Device) -> None:
    async def broken() -> None:
        with pytest.raises(ZeroDivisionError):
            await device.run(lambda: 1 / 0, NEVER)

    asyncio.run(broken())
    assert device.call(lambda: 7) == 7


def test_closing_drops_what_waits() -> None:
    device, gate = Device(), threading.Event()

    async def crowd() -> list[object]:
        tasks = [asyncio.create_task(device.run(gate.wait, NEVER)) for _ in range(3)]
        await asyncio.sleep(0.01)
        threading.Timer(0.05, gate.set).start()
        await asyncio.to_thread(device.close)
        return await asyncio.gather(*tasks, return_exceptions=True)

    finished = asyncio.run(crowd())
    assert not isinstance(finished[0], BaseException)
    assert all(isinstance(one, asyncio.CancelledError) for one in finished[1:])
