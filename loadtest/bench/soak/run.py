"""One soak of a service that runs: fill, measure, load and change and look, and see what is left at the end."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.bench.output import Output
from loadtest.bench.service import Service
from loadtest.bench.soak.calls import Tally
from loadtest.bench.soak.changes import Changes
from loadtest.bench.soak.fill import BATCHES, Votes, crowd, visitors
from loadtest.bench.soak.load import offer, saturate, through
from loadtest.bench.soak.log import LogReader
from loadtest.bench.soak.minutes import Minutes
from loadtest.bench.soak.mix import Mix
from loadtest.bench.soak.plan import Found, Plan
from loadtest.bench.soak.redis import DurableRedis
from loadtest.bench.soak.rude import Rude
from loadtest.bench.soak.samples import Book, Sample, Sampler
from loadtest.bench.venvs import BenchError
from loadtest.client import Client
from loadtest.crowd import Crowd
from loadtest.open_loop import clock

ADMIN_S = 60.0  # a reload under load takes seconds
SETTLE_S = 10.0  # for connections that were closed


class Soak:
    """`items` may be taken off sale, `log` is the service's.

    Raises:
        BenchError: by `run`, when the service dies or nothing can be measured.
    """

    def __init__(
        self,
        plan: Plan,
        service: Service,
        redis: DurableRedis,
        crowd: Crowd,
        items: Sequence[str],
        log: Path,
        out: Output,
        seed: int,
    ) -> None:
        self.plan, self.found = plan, Found()
        self._service, self._redis, self._crowd, self._out, self._seed = service, redis, crowd, out, seed
        self._client, self._looking = Client(service.url), Client(service.url)
        self._items, self._log = items, LogReader(log)

    async def run(self, folder: Path, results: Path) -> Found:
        """All of it."""
        sampler = Sampler(self._service.pid, self._service.port, self._looking, self._redis)
        try:
            self.found.idle.append(await sampler.look())
            offered = (await self._looking.call("GET", "/catalogue")).json()["bundles"][0]
            await self._fill()
            await self._measure(offered)
            mix = Mix(self._crowd, offered, seed=self._seed)
            await self._load(mix, folder, results)
            await through(self._client, mix.people.everyone(), 4, self.found.tally)
            self.found.people = {"with a history": len(mix.people), "deleted": mix.people.gone}
            self._client.close()
            self.found.idle.append(await self._settled(sampler))
        finally:
            self._client.close()
            self._looking.close()
        self._log.read()
        self.found.log, self.found.told, self.found.examples = self._log.errors, self._log.told, self._log.examples
        return self.found

    async def _settled(self, sampler: Sampler) -> Sample:
        """The service once the load is over: what it has not let go of within SETTLE_S it keeps."""
        give_up = clock() + SETTLE_S
        while (sample := await sampler.look()).callers > self.found.idle[0].callers and clock() < give_up:
            await asyncio.sleep(0.1)
        return sample

    async def _fill(self) -> None:
        """What the service remembers of users and votes is full; both are cheap for it."""
        began, tally, votes, count = clock(), Tally(), Votes(), self.plan.fill
        histories = [self._crowd.history(user) for user in range(self.plan.users)]
        await through(self._client, crowd(), self.plan.callers, tally)
        await through(self._client, visitors(histories, count), BATCHES, tally)
        await through(self._client, votes.visits(histories, count // 400 + 1), self.plan.callers, tally)
        if not votes.tokens:
            raise BenchError(f"the service could not be filled: {tally.faults.most_common(3)}")
        await through(self._client, votes.feedback(count), self.plan.callers, tally)
        self.found.fill_s = clock() - began
        self.found.tally.blame(tally)

    async def _measure(self, offered: dict[str, Any]) -> None:
        """Calls a second that 32 callers get answered of this very mix, `auto` being k50; the middle of three runs."""
        mix, tally, rates = Mix(self._crowd, offered, "k50", "c", self._seed + 1), Tally(), list[float]()
        for _ in range(0 if self.plan.capacity else 4):
            seconds, callers = self.plan.capacity_s, self.plan.callers
            rates.append(await saturate(self._client, mix.draw, callers, seconds, tally))
        self.found.capacity = self.plan.capacity or sorted(rates[1:])[1]
        self.found.rate = self.plan.load * self.found.capacity
        self.found.tally.blame(tally)
        self._out.say(
            f"filled in {self.found.fill_s:.0f} s; capacity of the mix {self.found.capacity:.0f} calls a second "
            f"({self.plan.callers} callers); load {self.found.rate:.0f} a second from now on"
        )

    async def _load(self, mix: Mix, folder: Path, results: Path) -> None:
        plan, found, service = self.plan, self.found, self._service
        admin = Client(service.url, ADMIN_S)
        changes = Changes(admin, self._redis, mix, folder, self._items, found.tally, plan.down_s)
        rude = Rude(admin.host, admin.port, lambda: mix.returning().payload, found.tally, self._seed)
        began, cpu, own = clock(), service.cpu_s(), time.process_time()

        def over() -> bool:
            return clock() >= began + plan.seconds and sum(changes.done.values()) >= plan.changes

        try:
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(self._look(results))
                tasks.create_task(changes.run(plan.every_s, over))
                tasks.create_task(rude.visit(plan.rude, over))
                await offer(self._client, mix.draw, found.rate, over, found.tally, self._seed)
                looking.cancel()
        except* BenchError as group:
            raise group.exceptions[0] from None
        finally:
            admin.close()
        wall = clock() - began
        found.busy, found.driver_busy = (service.cpu_s() - cpu) / wall, (time.process_time() - own) / wall
        found.changes, found.slowest_s = dict(changes.done), changes.slowest_s

    async def _look(self, results: Path) -> None:
        """A sample every so often until cancelled, a line a minute."""
        sampler = Sampler(self._service.pid, self._service.port, self._looking, self._redis)
        book, minutes, due = Book(results), Minutes(self._out, self.found.tally), clock()
        self.found.samples = book.samples
        while True:
            try:
                sample = await sampler.look(self.found.tally.calls, self.found.tally.count("failed"))
            except (OSError, KeyError, StopIteration):
                raise BenchError(f"the service ended under load; its last lines: {self._log.last()}") from None
            book.add(sample)
            minutes.say(sample)
            await asyncio.to_thread(self._log.read)
            due += self.plan.look_s
            await asyncio.sleep(max(0.0, due - clock()))
