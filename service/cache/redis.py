"""Redis behind a breaker: whatever happens to it, a command ends within the time-out, and usually at once."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as LateError

from service.cache.breaker import Breaker, BreakerState
from service.cache.links import Link, link
from service.cache.patience import patience
from service.cache.remote import Argument, RemoteError
from service.cache.single import refused

CONNECTIONS = 16  # also the most commands in flight: what a hung Redis can hold on to
MENDING_S = 1.0  # how long learning anew who serves what may take, in the background
CONFIRMING = 4  # beside them: commands that wait for replicas, and
LATE_S = 0.15  # how much longer one may take: Redis looks ten times a second who has waited long enough
PROBE = ("GET", "promise:probe")


def connect(url: str, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> "RedisRemote":
    """A remote for PROMISE_REDIS_URL. Nothing is sent before the first command, so Redis may be down.

    Raises:
        SettingsError: the URL cannot be one.
    """
    return RedisRemote(link(url, timeout_s, CONNECTIONS + CONFIRMING + 1), timeout_s, Breaker(), clock)


class RedisRemote:
    """The `Remote` over redis-py. While the breaker is open a background probe asks for Redis; requests never do."""

    def __init__(self, link: Link, timeout_s: float, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._link, self._timeout_s, self._breaker, self._clock = link, timeout_s, breaker, clock
        self._turns, self._confirming = asyncio.Semaphore(CONNECTIONS), asyncio.Semaphore(CONFIRMING)
        self._prober: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state

    async def execute(self, *command: Argument) -> Any:
        return await self._run(lambda: self._link.execute(command))

    async def pipeline(self, commands: Sequence[Sequence[Argument]], confirm: int = 0) -> list[Any]:
        if not commands:
            return []
        if confirm:
            return await self._confirmed(commands, confirm)
        replies: list[Any] = await self._run(lambda: self._link.pipeline(commands))
        return replies

    async def close(self) -> None:
        self._closed = True
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.wait({self._prober})
        with suppress(Exception):
            async with patience(MENDING_S):
                await self._link.close()

    async def _confirmed(self, commands: Sequence[Sequence[Argument]], replicas: int) -> list[Any]:
        """A replica that lags is no failure of Redis, and what waits for it keeps nobody else from a turn."""
        wait, limit_s = ("WAIT", replicas, max(1, int(self._timeout_s * 1000))), self._timeout_s + LATE_S
        replies: list[Any]
        *replies, held = await self._run(lambda: self._link.pipeline(commands, wait), self._confirming, limit_s)
        if not isinstance(held, int) or held < replicas:
            raise RemoteError(f"Redis has it, but fewer than {replicas} of its replicas said so in time.")
        return replies

    async def _run(
        self, call: Callable[[], Awaitable[Any]], turns: asyncio.Semaphore | None = None, limit_s: float = 0.0
    ) -> Any:
        turns, limit_s = turns or self._turns, limit_s or self._timeout_s
        self._ticket()
        await self._turn(turns, limit_s)
        try:
            return await self._attempt(self._ticket(), call, limit_s)  # the breaker may have opened while this waited
        finally:
            turns.release()

    def _ticket(self) -> int:
        if self._closed:
            raise RemoteError("The connection to Redis is closed.")
        if ticket := self._breaker.allow():
            return ticket
        self._look_after()
        wait_s = self._breaker.retry_at - self._clock()
        raise RemoteError("Redis has failed and is left alone for a moment.", max(1, math.ceil(wait_s)))

    async def _turn(self, turns: asyncio.Semaphore, limit_s: float) -> None:
        """Waiting for company to finish says nothing about Redis, so the breaker does not hear of it."""
        if turns.locked():
            try:
                async with patience(limit_s):
                    await turns.acquire()
            except TimeoutError:
                raise RemoteError("Too many Redis commands at once.") from None
        else:
            await turns.acquire()

    async def _attempt(self, ticket: int, call: Callable[[], Awaitable[Any]], limit_s: float) -> Any:
        try:
            async with patience(limit_s):
                await self._link.open()
                reply = await call()
        except Exception as error:  # on garbage the client raises more than its own errors
            if refused(error):
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
            async with patience(max(MENDING_S, 2 * self._timeout_s)):
                await self._link.reset()
                await self._link.open()
        except Exception:
            self._failed(ticket)
        else:
            with suppress(RemoteError):
                await self._attempt(ticket, lambda: self._link.execute(PROBE), self._timeout_s)


def _told(error: Exception) -> RemoteError:
    if isinstance(error, ResponseError):
        return RemoteError("Redis refused the command.", code=error.status_code or str(error).partition(" ")[0])
    if isinstance(error, TimeoutError | LateError):
        return RemoteError("Redis did not answer in time.")
    return RemoteError(f"Redis cannot be used: {type(error).__name__}.")
