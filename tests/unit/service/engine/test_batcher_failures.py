"""A batch that fails: the poisoned job alone, halves where the memory is short, deadlines kept."""

import asyncio
from typing import Any

from batch_worker import Jobs, Worker, opened, while_busy

from service.engine.ticket import ExpiredError
from service.errors import OverloadedError
from service.search.guided import Deadline


def test_a_poisoned_job_fails_alone() -> None:
    async def run() -> list[Any]:
        async def submit() -> Any:
            tasks = [asyncio.ensure_future(batcher.submit(job, "lane", Deadline())) for job in (1, -2, 3)]
            await asyncio.sleep(0)
            worker.gate.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        found: list[Any] = await while_busy(worker, batcher, submit)
        return found

    worker = Worker()
    with opened(worker) as batcher:
        one, poisoned, three = asyncio.run(run())
    assert (one.value, three.value) == (2, 6)
    assert isinstance(poisoned, ValueError)


class Small(Worker):
    """Has memory for `room` jobs at once, of which one of 100 or more takes up more than all of it."""

    room = 3

    def __call__(self, tickets: Jobs, backlog: int) -> None:
        if len(tickets) > self.room or any(ticket.job >= 100 for ticket in tickets):
            raise MemoryError
        super().__call__(tickets, backlog)


def test_a_batch_too_large_for_the_memory_is_run_in_halves_and_only_what_is_too_large_alone_is_refused() -> None:
    async def run() -> list[Any]:
        async def submit() -> Any:
            jobs = [
                asyncio.ensure_future(batcher.submit(job, "lane", Deadline())) for job in (1, 2, 3, 4, 5, 6, 7, 100)
            ]
            await asyncio.sleep(0)
            worker.gate.set()
            return await asyncio.gather(*jobs, return_exceptions=True)

        found: list[Any] = await while_busy(worker, batcher, submit)
        return found

    worker = Small()
    with opened(worker) as batcher:
        *done, refused = asyncio.run(run())
    assert [one.value for one in done if not isinstance(one, BaseException)] == [2, 4, 6, 8, 10, 12, 14]
    assert isinstance(refused, OverloadedError)
    assert refused.retry_after_s == 1


def test_of_a_failed_batch_whoever_is_past_its_deadline_is_told_and_not_run_again() -> None:
    async def run() -> list[Any]:
        async def submit() -> Any:
            late = asyncio.ensure_future(batcher.submit(5, "lane", Deadline(10.0, lambda: now[0])))
            bad = asyncio.ensure_future(batcher.submit(-1, "lane", Deadline()))
            await asyncio.sleep(0)
            worker.gate.set()
            return await asyncio.gather(late, bad, return_exceptions=True)

        found: list[Any] = await while_busy(worker, batcher, submit)
        return found

    now = [0.0]

    class Slow(Worker):
        def __call__(self, tickets: Jobs, backlog: int) -> None:
            if len(tickets) > 1:
                now[0] = 11.0
            super().__call__(tickets, backlog)

    worker = Slow()
    with opened(worker) as batcher:
        late, bad = asyncio.run(run())
    assert isinstance(late, ExpiredError)
    assert isinstance(bad, ValueError)
    assert worker.batches[-1] == [-1]
