"""A place in the queue of the device: a job and whoever waits for it, or a plain function."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.search.guided import Deadline

J = TypeVar("J")
R = TypeVar("R")


class ExpiredError(Exception):
    """The deadline passed while the work was still queued; it never reached the device."""


class ClosedError(Exception):
    """The batcher was closed before the work's turn came."""


@dataclass(frozen=True)
class Done(Generic[R]):
    """A result and the seconds it waited in the queue."""

    value: R
    queue_s: float


@dataclass(eq=False)
class Ticket(Generic[J, R]):
    """One piece of work in the queue. Only work of one lane is batched together."""

    job: J
    lane: Hashable
    deadline: Deadline
    submitted: float
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Done[R]]"
    queue_s: float = 0.0
    started: bool = False
    settled: bool = False

    def deliver(self, value: R) -> None:
        """Hand the result to whoever waits for it; from the device thread."""
        self._settle(lambda: self.future.set_result(Done(value, self.queue_s)))

    def fail(self, error: BaseException) -> None:
        self._settle(lambda: self.future.set_exception(error))

    def _settle(self, act: Callable[[], None]) -> None:
        if self.settled:
            return
        self.settled = True

        def tell() -> None:
            if not self.future.done():
                act()

        # The loop is closed only when the process is on its way out: nobody is left to tell.
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(tell)


class Call:
    """A plain function with a place in the queue."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._function()
        except BaseException as error:
            self.error = error
        self.done.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.done.set()
