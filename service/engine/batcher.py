"""One thread owns the device. Work queues up while it is busy and leaves the queue in batches.

Nobody waits for company when the device is idle; under load a batch waits a moment for the size that came before.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from service.engine.pace import Pace
from service.engine.ticket import Call, ClosedError, Done, ExpiredError, Ticket
from service.errors import OverloadedError
from service.search.guided import Deadline

J = TypeVar("J")
R = TypeVar("R")
T = TypeVar("T")


log = logging.getLogger(__name__)

Work = Callable[[Sequence[Ticket[J, R]], int], None]


class Batcher(Generic[J, R]):
    """Runs batches of up to `limit` jobs one after another on its own thread, in order of arrival within a lane.

    `work(tickets, backlog)` delivers or fails each ticket, and may deliver early; `backlog` counts what still waits.
    `ran` is told the size of every batch. One that raises is run again in halves, down to single jobs: a poisoned one
    fails alone, and a batch too large for the memory becomes batches that are not.
    """

    def __init__(
        self,
        work: Work[J, R],
        pace: Pace,
        ran: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._work, self._pace, self._ran, self._clock = work, pace, ran, clock
        self._queue: deque[Ticket[Any, Any] | Call] = deque()
        self._lock, self._wake = threading.Lock(), threading.Lock()  # the second is free while there is news
        self._busy_since: float | None = None
        self.running = 0  # jobs of the batch on the device
        self.worked_s = 0.0  # seconds that batches took so far
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="device", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Jobs waiting."""
        return len(self._queue)

    def busy_s(self) -> float:
        """Seconds the batch now running has been running; 0 when idle, inf once the thread has died."""
        if not self._thread.is_alive():
            return float("inf")
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    async def submit(self, job: J, lane: Hashable, deadline: Deadline) -> Done[R]:
        """The job's result. What already runs at the deadline is waited for: it finishes early by itself.

        Raises:
            ExpiredError: the deadline passed before the job's turn came.
            ClosedError: the batcher closed before its turn came.
        """
        loop = asyncio.get_running_loop()
        ticket: Ticket[J, R] = Ticket(job, lane, deadline, self._clock(), loop, loop.create_future())
        self._put(ticket)
        timer = self._expiry(ticket)
        try:
            return await ticket.future
        finally:
            if timer:
                timer.cancel()
            self._leave(ticket)  # also when the caller was cancelled: nobody waits any more

    def call(self, function: Callable[[], T]) -> T:
        """The function's result, on the device thread, between batches; blocks the caller."""
        call = Call(function)
        self._put(call)
        call.done.wait()
        if call.error is not None:
            raise call.error
        result: T = call.result
        return result

    def close(self) -> None:
        """Finish what runs, fail what waits, end the thread."""
        with self._lock:
            self._closed = True
            waiting, self._queue = list(self._queue), deque()
        self._ring()
        for one in waiting:
            one.fail(ClosedError())
        self._thread.join()

    def _expiry(self, ticket: "Ticket[J, R]") -> asyncio.TimerHandle | None:
        remaining = ticket.deadline.at - ticket.deadline.clock()
        return None if remaining == float("inf") else ticket.loop.call_later(remaining, self._expire, ticket)

    def _expire(self, ticket: "Ticket[J, R]") -> None:
        """At the deadline, on the loop: what has not started yet is answered now, not when its turn comes."""
        if self._leave(ticket):
            ticket.future.set_exception(ExpiredError())

    def _leave(self, ticket: "Ticket[J, R]") -> bool:
        """Take out of the queue what has not started; whether it was still there."""
        with self._lock:
            if ticket.settled or ticket.started:
                return False
            ticket.settled = True
            with suppress(ValueError):  # it left with everyone when the batcher closed
                self._queue.remove(ticket)
            return True

    def _put(self, one: "Ticket[Any, Any] | Call") -> None:
        with self._lock:
            if self._closed:
                raise ClosedError
            self._queue.append(one)
        self._ring()

    def _ring(self) -> None:
        """Wake the device thread; a condition would do the same for several times the time."""
        try:
            self._wake.release()
        except RuntimeError:
            return  # it has been told and has not looked yet

    def _loop(self) -> None:
        while (batch := self._next()) is not None:
            if not batch:
                continue
            self.running, self._busy_since = len(batch), (started := self._clock())
            self._run(batch)
            self.running, self._busy_since = 0, None
            ended = self._clock()
            self.worked_s += ended - started
            if not isinstance(batch[0], Call):
                self._pace.ran(len(batch), ended - started, ended)
                self._ran(len(batch))

    def _next(self) -> "list[Any] | None":
        """The next batch, empty where all who waited have given up; None once closed."""
        while not self._queue and not self._closed:
            self._wake.acquire()
        began = self._clock()
        while not self._closed and (rest := self._pace.patience(len(self._queue), began, self._clock())) > 0:
            self._wake.acquire(timeout=rest)
        with self._lock:
            return None if self._closed else self._gather(self._clock())

    def _gather(self, now: float) -> list[Any]:
        if not self._queue:
            return []  # whoever waited has given up
        first = self._queue.popleft()
        if isinstance(first, Call):
            return [first]
        batch: list[Any] = []
        others: list[Any] = []
        self._queue.appendleft(first)
        while self._queue and len(batch) < self._pace.size:
            one = self._queue.popleft()
            if isinstance(one, Call) or one.lane != first.lane:
                others.append(one)
            elif one.deadline.passed():
                one.fail(ExpiredError())
            else:
                one.started, one.queue_s = True, now - one.submitted
                batch.append(one)
        self._queue.extendleft(reversed(others))
        return batch

    def _run(self, batch: list[Any]) -> None:
        if isinstance(batch[0], Call):
            batch[0].run()
            return
        try:
            self._work(batch, len(self._queue))
            for one in batch:
                one.fail(RuntimeError("the batch ended with no result for this job"))
            return
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(_too_large(error))
                return
            _tell(len(batch), error)
        rest = [one for one in batch if not self._expired(one)]
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            if half:
                self._run(half)

    def _expired(self, ticket: "Ticket[Any, Any]") -> bool:
        """Nobody waits for it any more, or it is told now that its time is over."""
        if not ticket.settled and ticket.deadline.passed():
            ticket.fail(ExpiredError())
        return ticket.settled


def _too_large(error: Exception) -> Exception:
    """A job alone that finds no memory may find it elsewhere, or here a moment later."""
    if not isinstance(error, MemoryError):
        return error
    told = OverloadedError("There is too little memory for this request at the moment; try again shortly.", 1)
    told.__cause__ = error
    return told


def _tell(size: int, error: Exception) -> None:
    """To the log, which may need memory that is not there."""
    with suppress(Exception):
        log.warning("a batch of %d failed and is run again in halves", size, exc_info=error)
