"""Who serves what, asked for once for all who wait, and again in the background when it seems to be stale."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

PAUSE_S = 0.25  # between two questions that failing commands give rise to
ASK_S = 0.5  # for all answers to one question, where the time-out of a command is no longer


class Learning:
    """`ask` puts the question and keeps the answer; it raises where there is none. Used on one event loop."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ask = ask
        self._first: asyncio.Task[None] | None = None
        self._again: asyncio.Task[None] | None = None

    async def known(self) -> None:
        """Until there is an answer; cheap when there is one.

        Raises:
            Exception: what the question ended with, until `forget`.
        """
        if self._first is None:
            self._first = asyncio.get_running_loop().create_task(self._ask())
            self._first.add_done_callback(_looked_at)
        try:
            await asyncio.shield(self._first)  # whoever gives up waiting must not end what the others wait for
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionError("the answer was being forgotten while this waited for it") from None

    def doubt(self) -> None:
        """Ask again soon, at most once a pause; the present answer stays until there is another."""
        if self._again is None or self._again.done():
            self._again = asyncio.get_running_loop().create_task(self._soon())

    async def forget(self) -> None:
        """The next one who wants to know asks anew."""
        tasks = {task for task in (self._first, self._again) if task is not None}
        self._first = self._again = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _soon(self) -> None:
        with suppress(Exception):
            await self._ask()
        await asyncio.sleep(PAUSE_S)


async def first(asks: list[Awaitable[None]], seconds: float) -> None:
    """Until one of them ends well; the others are given up, all of them after so many seconds.

    Raises:
        Exception: what one of them ended with, as none ended well.
    """
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    failed: Exception = ConnectionError("nobody was asked")
    try:
        for answer in asyncio.as_completed(tasks, timeout=seconds):
            try:
                return await answer
            except Exception as error:
                failed = error
        raise failed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _looked_at(task: "asyncio.Task[None]") -> None:
    """All who waited may have left: what it ended with is no news to anybody."""
    if not task.cancelled():
        task.exception()
