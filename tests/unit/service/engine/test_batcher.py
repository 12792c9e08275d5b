"""One thread, batches of one lane, deadlines in the queue."""

import asyncio
import threading
from typing import Any

import pytest
from batch_worker import Jobs, Worker, opened, soon, while_busy

from service.engine.batcher import Batcher
from service.engine.pace import Pace
from service.engine.ticket import ClosedError, ExpiredError
from service.search.guided import Deadline


def test_what_queues_up_leaves_in_batches_of_at_most_the_limit_in_order() -> None:
    async def run() -> None:
        async def submit() -> list[Any]:
            jobs = [asyncio.ensure_future(batcher.submit(job, "lane", Deadline())) for job in range(1, 20)]
            await asyncio.sleep(0)
            assert batcher.depth == 19
            worker.gate.set()
            return await asyncio.gather(*jobs)

        done = await while_busy(worker, batcher, submit)
        assert [one.value for one in done] == [2 * job for job in range(1, 20)]
        assert all(one.queue_s > 0 for one in done)

    worker = Worker()
    with opened(worker) as batcher:
        asyncio.run(run())
    assert worker.batches == [[0], list(range(1, 9)), list(range(9, 17)), [17, 18, 19]]
    assert worker.backlogs == [0, 11, 3, 0]
    assert worker.threads == {"device"}


def test_lanes_do_not_mix_and_keep_their_order() -> None:
    async def run() -> None:
        async def submit() -> Any:
            jobs = [batcher.submit(job, "even" if job % 2 == 0 else "odd", Deadline()) for job in range(1, 9)]
            tasks = [asyncio.ensure_future(job) for job in jobs]
            await asyncio.sleep(0)
            worker.gate.set()
            return await asyncio.gather(*tasks)

        await while_busy(worker, batcher, submit)

    worker = Worker()
    with opened(worker) as batcher:
        asyncio.run(run())
    assert worker.batches == [[0], [1, 3, 5, 7], [2, 4, 6, 8]]


def test_an_expired_job_is_told_at_its_deadline_and_never_reaches_the_device() -> None:
    async def run() -> None:
        async def submit() -> None:
            with pytest.raises(ExpiredError):  # although the device is still held
                await batcher.submit(7, "lane", soon(0.02))
            with pytest.raises(ExpiredError):
                await batcher.submit(8, "lane", soon(-1))
            assert batcher.depth == 0

        await while_busy(worker, batcher, submit)
        assert (await batcher.submit(9, "lane", Deadline())).value == 18

    worker = Worker()
    with opened(worker) as batcher:
        asyncio.run(run())
    assert worker.batches == [[0], [9]]


def test_what_already_runs_at_its_deadline_is_waited_for() -> None:
    async def run() -> int:
        worker.gate.clear()
        job = asyncio.ensure_future(batcher.submit(4, "lane", soon(0.1)))
        await asyncio.to_thread(worker.begun.wait, 10)
        await asyncio.sleep(0.2)
        worker.gate.set()
        return (await job).value

    worker = Worker()
    with opened(worker) as batcher:
        assert asyncio.run(run()) == 8


def test_a_cancelled_job_leaves_the_queue() -> None:
    async def run() -> None:
        async def submit() -> None:
            job = asyncio.ensure_future(batcher.submit(5, "lane", Deadline()))
            await asyncio.sleep(0)
            assert batcher.depth == 1
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            assert batcher.depth == 0

        await while_busy(worker, batcher, submit)
        await batcher.submit(6, "lane", Deadline())

    worker = Worker()
    with opened(worker) as batcher:
        asyncio.run(run())
    assert worker.batches == [[0], [6]]


def test_a_job_that_was_forgotten_fails_instead_of_hanging() -> None:
    def forget(_tickets: Jobs, _backlog: int) -> None:
        pass

    batcher: Batcher[int, int] = Batcher(forget, Pace(8, 0.0, 1.0))
    with pytest.raises(RuntimeError, match="no result"):
        asyncio.run(batcher.submit(1, "lane", Deadline()))
    batcher.close()


def test_calls_run_on_the_device_thread_and_raise_here() -> None:
    worker = Worker()
    with opened(worker) as batcher:
        assert batcher.call(lambda: threading.current_thread().name) == "device"
        with pytest.raises(ZeroDivisionError):
            batcher.call(lambda: 1 // 0)


def test_closing_fails_what_waits_and_refuses_what_comes() -> None:
    async def run() -> None:
        worker.gate.clear()
        first = asyncio.ensure_future(batcher.submit(1, "lane", Deadline()))
        await asyncio.to_thread(worker.begun.wait, 10)
        waiting = asyncio.ensure_future(batcher.submit(2, "lane", Deadline()))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(batcher.close))
        with pytest.raises(ClosedError):
            await waiting
        worker.gate.set()
        assert (await first).value == 2
        await closing
        with pytest.raises(ClosedError):
            await batcher.submit(3, "lane", Deadline())

    worker = Worker()
    batcher = Batcher(worker, Pace(8, 0.0, 1.0))
    asyncio.run(run())


def test_busy_time_is_seen_from_outside() -> None:
    worker = Worker()
    with opened(worker) as batcher:
        assert batcher.busy_s() == 0.0
        assert batcher.call(batcher.busy_s) > 0.0


def test_what_runs_and_how_long_the_device_worked_is_seen_from_outside() -> None:
    async def look() -> tuple[int, float]:
        await asyncio.sleep(0.02)
        return batcher.running, batcher.worked_s

    worker = Worker()
    with opened(worker) as batcher:
        assert (batcher.running, batcher.worked_s) == (0, 0.0)
        assert asyncio.run(while_busy(worker, batcher, look)) == (1, 0.0)
        batcher.call(lambda: None)  # whatever ran before it is over
        assert batcher.worked_s >= 0.02
