"""What the service costs around its engine: latency of one caller and throughput of many, beside the bare engine.

Every side answers the same requests at the same tier with encodings it knows. On one core: the engine called in its
own process, bare FastAPI around the same calls, the service; the service on all cores beside them. They take turns,
round by round; whoever waits uses no processor time.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import answers, closed_loop, machine
from loadtest.bench.output import Output, spread
from loadtest.bench.process import Worker
from loadtest.bench.service import Service
from loadtest.bench.shell_table import show
from loadtest.bench.venvs import BenchError
from loadtest.bench.workers.shell_bare import Work
from loadtest.seconds import Shot

WORKERS = "loadtest.bench.workers"
Ask = Callable[[Sequence[int]], list[float]]  # requests → seconds of each
ENGINE, BARE, SERVICE, BOTH = "engine", "bare FastAPI", "service", "service, all cores"


@dataclass(frozen=True)
class Plan:
    """Rounds of `alone` requests by one caller and `together` by `callers`, among as many histories as `users`."""

    rounds: int = 15
    alone: int = 128
    together: int = 640
    callers: int = 32
    users: int = 64
    tier: str = "k50"
    k: int = 10


class BareServer(Service):
    """Bare FastAPI, started and waited for as the service is."""

    def __init__(self, folder: Path, cores: tuple[int, ...]) -> None:
        super().__init__(folder / "bare.log", cores)
        self._folder = folder

    def _command(self) -> list[str]:
        return [sys.executable, "-m", f"{WORKERS}.shell_fastapi", str(self._folder), str(self.port)]


@dataclass(frozen=True)
class Alone:
    """One caller, round by round: ms (median, slowest twentieth), processor ms a request of process `pid`."""

    pid: int
    p50_ms: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def race(self, ask: Ask, requests: Sequence[int]) -> None:
        before = cpu_s(self.pid)
        seconds = ask(requests)
        self.cpu_ms.append(1000 * (cpu_s(self.pid) - before) / len(requests))
        self.p50_ms.append(1000 * statistics.median(seconds))
        self.p95_ms.append(1000 * statistics.quantiles(seconds, n=20)[-1])


@dataclass(frozen=True)
class Together:
    """Many callers, round by round: answers a second, and of the bare engine in batches of the size that formed."""

    server: Service
    batch: int
    engine: Worker
    rates: list[float] = field(default_factory=list)
    engine_rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def race(self, number: int, bodies: Sequence[bytes], requests: Sequence[int], callers: int) -> None:
        before = cpu_s(self.server.pid)
        shots = closed_loop.answered(closed_loop.run(self.server.url, [bodies[at] for at in requests], callers))
        self.cpu_ms.append(1000 * (cpu_s(self.server.pid) - before) / len(shots))
        self.rates.append(closed_loop.per_second(shots))
        whole = requests[: len(requests) // self.batch * self.batch]
        self.engine_rates.append(1e9 * len(whole) / sum(self.engine.ask(number, whole)))


def run_shell(bundle: Path, plan: Plan, seed: int = 0, json_output: bool = False) -> dict[str, Any]:
    """Interleaved rounds; every side's lists are compared first.

    Raises:
        BenchError: too few rounds or requests, lists that differ, or a request that was not answered.
        WorkloadError: the bundle has no catalogue.
    """
    if plan.rounds < 2 or min(plan.alone, plan.together) < 2 * plan.callers:
        raise BenchError("the benchmark needs 2 rounds or more, and two requests a caller")
    histories = workload.histories(workload.read_items(bundle), plan.users, seed)
    bodies = [workload.recommend(history, k=plan.k, budget=plan.tier) for history in histories]
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        Work(str(bundle.resolve()), plan.tier, plan.k, [list(history) for history in histories]).save(folder)
        result = machine.describe(cores) | {"bundle": bundle.name, "tier": plan.tier, "callers": plan.callers}
        bench = _Bench(folder, bodies, plan, cores, stack, {"bundle": bundle.resolve()})
        result |= bench.run()
    out = Output(json_output)
    show(result, out)
    out.end(result)
    return result


class _Bench:
    """All sides, started; core numbers are those of the service."""

    def __init__(
        self,
        folder: Path,
        bodies: Sequence[bytes],
        plan: Plan,
        cores: machine.Cores,
        stack: ExitStack,
        settings: dict[str, object],
    ) -> None:
        self._folder, self._bodies, self._plan, self._cores, self._stack = folder, bodies, plan, cores, stack
        own = {"max_concurrent": 4 * plan.callers, "request_timeout_ms": 60_000, **settings}
        every = (*cores.driver, *cores.service)
        self._servers: dict[str, Service] = {
            BARE: stack.enter_context(BareServer(folder, cores.service)),
            SERVICE: stack.enter_context(Service(folder / "one.log", cores.service, **own)),
            BOTH: stack.enter_context(Service(folder / "both.log", every, **own)),
        }
        self._engine = self._worker(1)

    def run(self) -> dict[str, Any]:
        plan, few, many = self._plan, self._requests(self._plan.alone), self._requests(self._plan.together)
        self._check()
        alone = {ENGINE: Alone(self._engine.ready["pid"])}
        alone |= {name: Alone(server.pid) for name, server in self._servers.items()}
        asks = {ENGINE: self._engine_seconds} | {name: partial(self._seconds, name) for name in self._servers}
        together = {name: self._together(name, many) for name in (SERVICE, BOTH)}
        for number in range(plan.rounds):
            for name, side in alone.items():
                side.race(asks[name], few)
            for pair in together.values():
                pair.race(number, self._bodies, many, plan.callers)
        return {
            "alone": {name: summary(side, alone[ENGINE]) for name, side in alone.items()},
            "ratio": _ratio(alone[SERVICE].p50_ms, alone[BARE].p50_ms),
            "together": {name: throughput(side) for name, side in together.items()},
        }

    def _check(self) -> None:
        """Warm everyone up; the lists must be the same."""
        numbers = list(range(len(self._bodies)))
        lists = {name: [shot.answer for shot in self._shots(one, numbers)] for name, one in self._servers.items()}
        for name, found in lists.items():
            if answers.different(lists[BARE], found):
                raise BenchError(f"{name} and {BARE} do not give the same lists")

    def _requests(self, count: int) -> list[int]:
        return [at % len(self._bodies) for at in range(count)]

    def _engine_seconds(self, requests: Sequence[int]) -> list[float]:
        return [ns / 1e9 for ns in self._engine.ask(0, requests)]

    def _seconds(self, name: str, requests: Sequence[int]) -> list[float]:
        return [shot.latency_s for shot in self._shots(self._servers[name], requests)]

    def _together(self, name: str, requests: Sequence[int]) -> Together:
        """The sides of the second race, the batch size taken from a race of the service alone."""
        server = self._servers[name]
        before = server.metrics()
        closed_loop.answered(closed_loop.run(server.url, [self._bodies[at] for at in requests], self._plan.callers))
        after = server.metrics()
        jobs, batches = (after[key] - before[key] for key in ("promise_batch_size_sum", "promise_batch_size_count"))
        batch = max(1, round(jobs / batches))
        return Together(server, batch, self._worker(batch))

    def _worker(self, batch: int) -> Worker:
        core = (self._cores.service or (0,))[0]
        command = [sys.executable, "-m", f"{WORKERS}.shell_bare", str(self._folder), str(core), str(batch)]
        return self._stack.enter_context(Worker(ENGINE, command, self._folder / f"engine-{batch}.log"))

    def _shots(self, server: Service, requests: Sequence[int]) -> list[Shot]:
        return closed_loop.answered(closed_loop.run(server.url, [self._bodies[at] for at in requests]))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process, looked at again where a thread of it ended under way."""
    with suppress(FileNotFoundError):
        return machine.cpu_s(pid)
    return machine.cpu_s(pid)


def summary(side: Alone, engine: Alone) -> dict[str, Any]:
    """Spreads over the rounds; `over_ms`: the median beyond the engine's of the same round."""
    over = [mine - theirs for mine, theirs in zip(side.p50_ms, engine.p50_ms, strict=True)]
    figures = {"p50_ms": side.p50_ms, "p95_ms": side.p95_ms, "cpu_ms": side.cpu_ms, "over_ms": over}
    return {name: spread(values) for name, values in figures.items()}


def throughput(side: Together) -> dict[str, Any]:
    return {
        "batch": side.batch,
        "per_second": spread(side.rates),
        "engine_per_second": spread(side.engine_rates),
        "ratio": _ratio(side.rates, side.engine_rates),
        "cpu_ms": spread(side.cpu_ms),
    }


def _ratio(ones: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    return spread([one / other for one, other in zip(ones, others, strict=True)])
