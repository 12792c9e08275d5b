"""Lines on their way to a slow place: nobody waits, a failure is told once, what cannot wait is counted."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from service.errors import StoreUnavailableError
from service.experiments.events import pack

RETRY_S = 1.0
PATIENCE_S = 3.0  # for the last lines, at the end


class Outbox:
    """At most `limit` lines that one task sends in order, `batch` at a time.

    `send` takes lines and returns how many of them, from the first on, are done with. When it raises, or takes less
    than all, the rest is sent again after `retry_s`; `on_error` hears the reason when that begins, not at every try.
    """

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], Awaitable[int]],
        limit: int,
        batch: int,
        on_error: Callable[[str], None] = lambda _: None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.dropped = 0
        self.failures = 0
        self._send = send
        self._limit = limit
        self._batch = batch
        self._on_error = on_error
        self._retry_s = retry_s
        self._lines: deque[bytes] = deque()
        self._failing = False
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._lines)

    def put(self, event: Mapping[str, object]) -> None:
        """Queue one event; without room, or where JSON cannot say it, it is dropped. On the event loop's thread."""
        line = pack(event)
        if line is None or len(self._lines) >= self._limit or self._closing.is_set():
            self.dropped += 1
            return
        self._lines.append(line)
        self._wake.set()

    async def drop(self, unwanted: Callable[[bytes], bool]) -> None:
        """Forget lines that wait. Those that were being sent have arrived when it returns, or wait and are looked at.

        Raises:
            StoreUnavailableError: they are still being sent after `PATIENCE_S`.
        """
        try:
            async with asyncio.timeout(PATIENCE_S), self._sending:
                self._lines = deque(line for line in self._lines if not unwanted(line))
        except TimeoutError:
            raise StoreUnavailableError("The event log is too slow to be changed now.", 1) from None

    def start(self) -> None:
        """Begin to send, on the running event loop; what was put before goes first."""
        self._task = self._task or asyncio.get_running_loop().create_task(self._run())

    async def close(self, patience_s: float = PATIENCE_S) -> bool:
        """Send what waits, with one last try and no longer than `patience_s`; whether no sending is under way."""
        self._closing.set()
        self._wake.set()
        ended = True
        if self._task is not None:
            ended = bool((await asyncio.wait({self._task}, timeout=patience_s))[0])
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.dropped += len(self._lines)
        self._lines.clear()
        return ended

    async def _run(self) -> None:
        while self._lines or not self._closing.is_set():
            if not self._lines:
                self._wake.clear()
                await self._wake.wait()
            elif not await self._send_some():
                if self._closing.is_set():
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), self._retry_s)

    async def _send_some(self) -> bool:
        async with self._sending:
            batch = list(islice(self._lines, self._batch))
            try:
                sent = await self._send(batch)
            except Exception as error:  # whatever it is, events must flow again once it is over
                self._failed(f"{type(error).__name__}: {error}")
                return False
            for _ in range(sent):
                self._lines.popleft()
        self._failing = self._failing and not sent
        return sent == len(batch)

    def _failed(self, reason: str) -> None:
        self.failures += 1
        if not self._failing:
            self._on_error(reason)
        self._failing = True
