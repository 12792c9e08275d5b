"""Look-ups in the catalogue for people: beside the requests that matter, never in their way."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from service.errors import OverloadedError
from service.lookup.words import Words
from service.served import Served

WAITING = 16  # look-ups that may be under way or wait; people who type ask a few times a second
RETRY_AFTER_S = 1

Result = TypeVar("Result")


class Desk:
    """One look-up at a time on a worker thread, a few may wait, more are refused. They need no place of admission.

    What searching by words takes is prepared when it is first asked for, and kept for each slot's present version.
    """

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0
        self._words: dict[str, tuple[Served, Words]] = {}

    async def ask(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, which runs on the worker thread.

        Raises:
            OverloadedError: too many look-ups wait already.
        """
        if self._waiting >= WAITING:
            raise OverloadedError("Too many look-ups at once; try again shortly.", RETRY_AFTER_S)
        self._waiting += 1
        try:
            async with self._one:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    def words(self, served: Served) -> Words:
        """What to search this version by; called by the work that runs on the worker thread."""
        kept = self._words.get(served.slot)
        if kept is None or kept[0] is not served:
            kept = served, Words(served.catalogue, served.trie)
            self._words[served.slot] = kept
        return kept[1]
