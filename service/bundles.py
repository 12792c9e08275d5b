"""The bundles being served, by slot. A change is built beside what serves and swapped in by one assignment.

A request takes its bundle once and keeps it, so it never sees half a change. One change at a time per process; one
that fails leaves everything as it was, one that has begun is finished even when its caller goes away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from service import memory
from service.engine.revision import Change
from service.errors import ConflictError, NotFoundError
from service.served import Served


@dataclass(frozen=True)
class _Slot:
    """What answers now, and what did before, newest last."""

    current: Served
    former: tuple[Served, ...] = ()

    def then(self, served: Served, keep: int) -> "_Slot":
        former = (*self.former, self.current)
        return _Slot(served, former[max(0, len(former) - keep) :])

    def back(self) -> "_Slot":
        return _Slot(self.former[-1], self.former[:-1])


Step = Callable[[_Slot], Awaitable[_Slot]]


class Bundles:
    """Slots in order, the first is the default; each remembers its `keep` former versions for rollback.

    `open` and `revise` run in a thread beside the event loop, `warm` makes the device ready for what they built.
    `on_change` is called with slot name and new version after every swap; it must not raise.
    """

    def __init__(
        self,
        slots: Mapping[str, Served],
        open: Callable[[Path], Served],
        revise: Callable[[Served, Change], Served],
        warm: Callable[[Served], Awaitable[None]],
        keep: int = 2,
    ) -> None:
        if not slots:
            raise ValueError("at least one bundle must be served")
        self.on_change: Callable[[str, Served], None] = lambda _name, _served: None
        self._slots = {name: _Slot(served) for name, served in slots.items()}
        self._default = next(iter(self._slots))
        self._open, self._revise, self._warm, self._keep = open, revise, warm, keep
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[Served]] = set()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._slots)

    def get(self, name: str | None = None) -> Served:
        """What the slot serves now; the default slot without a name. Never waits.

        Raises:
            NotFoundError: there is no such slot.
        """
        return self._slot(name or self._default).current

    def former(self, name: str) -> tuple[Served, ...]:
        """What rollback can return to, newest last."""
        return self._slot(name).former

    async def reload(self, name: str, path: Path | None = None) -> Served:
        """Serve the bundle in folder `path`, or the slot's own folder read anew: catalogue changes are left behind.

        Raises:
            NotFoundError: there is no such slot.
            ConflictError: no path, and what the slot serves did not come from a folder.
            StartError: the folder holds no bundle that can be served here.
        """

        async def step(slot: _Slot) -> _Slot:
            folder = path or slot.current.path
            if folder is None:
                raise ConflictError(f"bundle '{name}' did not come from a folder; say which one to read.")
            return await self._next(slot, lambda: replace(self._open(folder), slot=name))

        return await self._change(name, step)

    async def revise(self, name: str, change: Change) -> Served:
        """Serve the slot's bundle with its catalogue changed.

        Raises:
            NotFoundError: there is no such slot.
            ConflictError, InvalidRequestError: the change does not fit the catalogue (service.engine.revision).
        """

        async def step(slot: _Slot) -> _Slot:
            return await self._next(slot, lambda: self._revise(slot.current, change))

        return await self._change(name, step)

    async def rollback(self, name: str) -> Served:
        """Serve again what the slot served before its last change; what it serves now is let go.

        Raises:
            NotFoundError: there is no such slot.
            ConflictError: there is nothing to go back to.
        """

        async def step(slot: _Slot) -> _Slot:
            if not slot.former:
                raise ConflictError(f"bundle '{name}' has no earlier version to go back to.")
            return slot.back()

        return await self._change(name, step)

    async def _next(self, slot: _Slot, build: Callable[[], Served]) -> _Slot:
        served = await asyncio.to_thread(build)
        await self._warm(served)
        return slot.then(served, self._keep)

    async def _change(self, name: str, step: Step) -> Served:
        self._slot(name)
        task = asyncio.create_task(self._alone(name, step))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _alone(self, name: str, step: Step) -> Served:
        async with self._lock:
            slot = await step(self._slots[name])
            self._slots[name] = slot
            self.on_change(name, slot.current)
        await asyncio.to_thread(memory.give_back)  # what was built and thrown away, and the version that was let go
        return slot.current

    def _slot(self, name: str) -> _Slot:
        try:
            return self._slots[name]
        except KeyError:
            raise NotFoundError(f"there is no bundle '{name}'; there are: {', '.join(self._slots)}.") from None
