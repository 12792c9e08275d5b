"""A worker for batchers in tests: it doubles numbers, remembers its batches, and can hold the device."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from service.engine.batcher import Batcher
from service.engine.pace import Pace
from service.engine.ticket import Ticket
from service.search.guided import Deadline

Jobs = Sequence[Ticket[int, int]]


class Worker:
    """Doubles numbers; keeps what it was given; holds the device while `gate` is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.backlogs: list[int] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self, tickets: Jobs, backlog: int) -> None:
        self.begun.set()
        self.gate.wait(10)
        self.batches.append([ticket.job for ticket in tickets])
        self.backlogs.append(backlog)
        self.threads.add(threading.current_thread().name)
        if any(ticket.job < 0 for ticket in tickets):
            raise ValueError("a negative job")
        for ticket in tickets:
            ticket.deliver(2 * ticket.job)


@contextmanager
def opened(worker: Worker, limit: int = 8) -> Iterator[Batcher[int, int]]:
    batcher = Batcher(worker, Pace(limit, 0.0, 1.0))
    try:
        yield batcher
    finally:
        worker.gate.set()
        batcher.close()


async def while_busy(worker: Worker, batcher: Batcher[int, int], then: Callable[[], Awaitable[Any]]) -> Any:
    """What `then` returns, begun while the device is held by job 0."""
    worker.gate.clear()
    first = asyncio.ensure_future(batcher.submit(0, "lane", Deadline()))
    await asyncio.to_thread(worker.begun.wait, 10)
    result = await then()
    worker.gate.set()
    await first
    return result


def soon(seconds: float) -> Deadline:
    return Deadline(time.perf_counter() + seconds)
