"""What an operator does in a soak: bundles, catalogue, budget and experiments change, Redis is killed and started.

One timetable, one thing at a time, over and over. A change that does not go as it should is a fault of the tally;
`mix.away` tells the callers what they must not be shown.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.bench.soak.calls import ANSWERED, Call, Tally, send
from loadtest.bench.soak.mix import Mix
from loadtest.bench.soak.redis import DurableRedis
from loadtest.bench.soak.texts import experiments
from loadtest.client import Client, request
from loadtest.open_loop import clock

TOKEN, SLOT, NEXT = "soak-token", "current", "next"
RETIRED = 3
Step = Callable[[], Awaitable[object]]


@dataclass
class Changes:
    """`folder` holds both versions of the bundle and the experiments file; `items` may be taken off sale.

    `down_s`: how long Redis stays away.

    Attributes:
        done, slowest_s: how often each change was made, and how long the longest one took.
    """

    client: Client
    redis: DurableRedis
    mix: Mix
    folder: Path
    items: Sequence[str]
    tally: Tally
    down_s: float
    done: Counter[str] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    _edits: int = 0

    async def run(self, every_s: float, over: Callable[[], bool]) -> None:
        """A change every so often until it is over; one that takes longer delays the next."""
        steps, due = itertools.cycle(self.timetable()), clock()
        while not over():
            due = max(due + every_s, clock())
            await asyncio.sleep(due - clock())
            await self.make(*next(steps))

    async def make(self, name: str, step: Step) -> None:
        """One change, with its time."""
        started = clock()
        await step()
        self.done[name] += 1
        self.slowest_s[name] = max(self.slowest_s.get(name, 0.0), clock() - started)

    def timetable(self) -> tuple[tuple[str, Step], ...]:
        """All of them in their order. A rollback undoes the last change of the bundle."""
        return (
            ("reload", lambda: self._reload(NEXT)),
            ("experiments file", self._experiments),
            ("retire items", self._retire),
            ("Redis killed", self._crash),
            ("rollback", self._rollback),
            ("reload", lambda: self._reload(SLOT)),
            ("experiments file", self._experiments),
            ("add items", self._add),
            ("freeze the budget", lambda: self._admin("PUT", "/admin/budget", {"tier": "k10"})),
            ("reload", lambda: self._reload(NEXT)),
            ("thaw the budget", lambda: self._admin("DELETE", "/admin/budget")),
            ("rollback", self._rollback),
            ("reload no bundle", lambda: self._reload("nothing", 422)),
        )

    async def _admin(self, method: str, path: str, body: Any = None, status: int = 200) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        payload = request(method, path, None if body is None else json.dumps(body).encode(), headers)
        call = Call(f"{method} {path}", payload, (status,), deadline_s=self.client.timeout_s)
        return await send(self.client, call, self.tally, clock()) == ANSWERED

    async def _bundle(self, what: str, body: Any = None, status: int = 200) -> bool:
        return await self._admin("POST", f"/admin/bundles/{SLOT}/{what}", body, status)

    async def _reload(self, folder: str, status: int = 200) -> None:
        self.mix.away = frozenset()
        await self._bundle("reload", {"path": str(self.folder / folder)}, status)

    async def _rollback(self) -> None:
        self.mix.away = frozenset()
        await self._bundle("rollback")

    async def _retire(self) -> None:
        items = random.sample(self.items, RETIRED)
        if await self._bundle("catalogue", {"retire": items}):
            self.mix.away = frozenset(items)

    async def _add(self) -> None:
        new = [{"item_id": f"NEW-{self._edits}-{n}", "like": self.items[n], "popularity": 1} for n in range(RETIRED)]
        await self._bundle("catalogue", {"add": new, "popularity": {self.items[0]: 1000}})

    async def _experiments(self) -> None:
        """Written in place, in two parts with a pause between them, as a careless editor does."""
        text, self._edits = experiments(self._edits), self._edits + 1
        with (self.folder / "experiments.yaml").open("w") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            await asyncio.sleep(0.05)
            file.write(text[len(text) // 2 :])

    async def _crash(self) -> None:
        await asyncio.to_thread(self.redis.crash, self.down_s)
