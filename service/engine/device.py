"""One thread owns the device; the event loop hands it work and never waits for it synchronously."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.search.guided import Deadline

T = TypeVar("T")


class ExpiredError(Exception):
    """The deadline passed while the work was still queued; it never reached the device."""


@dataclass(frozen=True)
class Done(Generic[T]):
    """A result and the seconds it waited in the queue."""

    value: T
    queue_s: float


class Device:
    """Runs functions one at a time, in order, on its own thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._busy_since: float | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")

    def busy_s(self) -> float:
        """Seconds the function now running has been running; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    async def run(self, work: Callable[[], T], deadline: Deadline) -> Done[T]:
        """The function's result. What already runs at the deadline is waited for: it finishes early by itself.

        Raises:
            ExpiredError: the deadline passed before the function's turn came.
        """
        submitted = self._clock()
        future = self._executor.submit(self._timed, work, submitted, deadline)
        remaining = deadline.at - deadline.clock()
        waiting = asyncio.wrap_future(future)
        timeout = None if remaining == float("inf") else max(remaining, 0.0)
        done, _ = await asyncio.wait({waiting}, timeout=timeout)
        if not done and future.cancel():
            raise ExpiredError
        return await waiting

    def call(self, work: Callable[[], T]) -> T:
        """The function's result, waited for: for use before there is an event loop."""
        return self._executor.submit(work).result()

    def close(self) -> None:
        """Finish what runs, drop what waits, end the thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _timed(self, work: Callable[[], T], submitted: float, deadline: Deadline) -> Done[T]:
        if deadline.passed():
            raise ExpiredError
        self._busy_since = started = self._clock()
        try:
            return Done(work(), started - submitted)
        finally:
            self._busy_since = None
