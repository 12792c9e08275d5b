"""Redis behind a breaker: whatever happens to it, a command ends within the time-out, and usually at once."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as LateError

from service.cache.breaker import Breaker, BreakerState
from service.cache.links import Link, link
from service.cache.patience import patience
from service.cache.remote import Argument, RemoteError

CONNECTIONS = 16  # also the most commands in flight: what a hung Redis can hold on to
MENDING_S = 1.0  # how long learning a cluster's layout anew may take, in the background
PROBE = ("GET", "promise:probe")


def connect(url: str, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> "RedisRemote":
    """A remote for PROMISE_REDIS_URL. Nothing is sent before the first command, so Redis may be down.

    Raises:
        SettingsError: the URL cannot be one.
    """
    return RedisRemote(link(url, timeout_s, CONNECTIONS + 1), timeout_s, Breaker(), clock)


class RedisRemote:
    """The `Remote` over redis-py. While the breaker is open a background probe asks for Redis; requests never do."""

    def __init__(self, link: Link, timeout_s: float, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._link, self._timeout_s, self._breaker, self._clock = link, timeout_s, breaker, clock
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._prober: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state

    async def execute(self, *command: Argument) -> Any:
        return await self._run(lambda: self._link.execute(command))

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        replies: list[Any] = await self._run(lambda: self._link.pipeline(commands)) if commands else []
        return replies

    async def close(self) -> None:
        self._closed = True
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.wait({self._prober})
        with suppress(Exception):
            async with patience(MENDING_S):
                await self._link.close()

    async def _run(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self._ticket()
        await self._turn()
        try:
            return await self._attempt(self._ticket(), call)  # the breaker may have opened while this waited
        finally:
            self._turns.release()

    def _ticket(self) -> int:
        if self._closed:
            raise RemoteError("The connection to Redis is closed.")
        if ticket := self._breaker.allow():
            return ticket
        self._look_after()
        wait_s = self._breaker.retry_at - self._clock()
        raise RemoteError("Redis has failed and is left alone for a moment.", max(1, math.ceil(wait_s)))

    async def _turn(self) -> None:
        """Waiting for company to finish says nothing about Redis, so the breaker does not hear of it."""
        if self._turns.locked():
            try:
                async with patience(self._timeout_s):
                    await self._turns.acquire()
            except TimeoutError:
                raise RemoteError("Too many Redis commands at once.") from None
        else:
            await self._turns.acquire()

    async def _attempt(self, ticket: int, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with patience(self._timeout_s):
                await self._link.open()
                reply = await call()
        except Exception as error:  # on garbage the client raises more than its own errors
            # Redis is well and refuses this command; unless it may not write, which only another connection mends.
            if isinstance(error, ResponseError) and not isinstance(error, ReadOnlyError):
                self._breaker.success(ticket, self._clock())
            else:
                self._failed(ticket)
            raise _told(error) from error
        self._breaker.success(ticket, self._clock())
        return reply

    def _failed(self, ticket: int) -> None:
        self._breaker.failure(ticket, self._clock())
        if self._breaker.state != "closed":
            self._look_after()

    def _look_after(self) -> None:
        if (self._prober is None or self._prober.done()) and not self._closed:
            self._prober = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        """Until Redis is back: the breaker's pause, then one attempt."""
        while self._breaker.state != "closed":
            await asyncio.sleep(max(self._breaker.retry_at - self._clock(), 0.001))
            if ticket := self._breaker.probe(self._clock()):
                await self._mend(ticket)

    async def _mend(self, ticket: int) -> None:
        try:
            async with patience(MENDING_S):
                await self._link.reset()
                await self._link.open()
        except Exception:
            self._failed(ticket)
        else:
            with suppress(RemoteError):
                await self._attempt(ticket, lambda: self._link.execute(PROBE))


def _told(error: Exception) -> RemoteError:
    if isinstance(error, ResponseError):
        return RemoteError("Redis refused the command.", code=error.status_code or str(error).partition(" ")[0])
    if isinstance(error, TimeoutError | LateError):
        return RemoteError("Redis did not answer in time.")
    return RemoteError(f"Redis cannot be used: {type(error).__name__}.")
