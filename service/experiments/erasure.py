"""Forgetting users in what experiments keep: the event log, and what this process remembers of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from service.experiments.events import EventLog


class Erasure:
    """Takes units out of `log`, then, by `forget`, out of what this process keeps of them.

    A pass reads the whole log, so that there is one at a time: units that come while it runs share the next one.
    """

    def __init__(self, log: EventLog, forget: Callable[[Collection[str]], Awaitable[None]]) -> None:
        self._log, self._forget = log, forget
        self._waiting: dict[object, str] = {}  # by call
        self._turn = asyncio.Lock()

    async def erase(self, unit: str) -> None:
        """Until the log holds nothing of the unit that was written before the call.

        Raises:
            StoreUnavailableError: something may be left; erasing once more is safe.
        """
        call = object()
        self._waiting[call] = unit
        try:
            async with self._turn:
                if call in self._waiting:  # else a pass that began after this call took its unit along
                    await self._pass()
        finally:
            self._waiting.pop(call, None)

    async def _pass(self) -> None:
        taken = dict(self._waiting)
        units = frozenset(taken.values())
        await self._log.erase(units)
        await self._forget(units)
        for call in taken:
            self._waiting.pop(call, None)
