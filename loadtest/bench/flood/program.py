"""Floods: what honest callers get while somebody overruns the service, beside what they get when nobody does.

Every row has its peer in itself: the same open loop of honest callers before, during and after the attack. The attack
is a process of its own; it and the honest callers share the driver's cores, the service has its own.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest import open_loop, workload
from loadtest.bench import closed_loop, machine
from loadtest.bench.flood import herd as flood_herd
from loadtest.bench.flood import lean as flood_lean
from loadtest.bench.flood.attack import ALONE, Running
from loadtest.bench.flood.overload import Flood, overload
from loadtest.bench.flood.rows import ROWS, Row
from loadtest.bench.flood.table import show
from loadtest.bench.flood.windows import limited, window
from loadtest.bench.output import Output, progress
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.open_loop import Step
from service.api.open_files import room_for

OVERLOAD, HERD = "overload", "herd"
NAMES = (OVERLOAD, HERD, *ROWS)
LANES, HERD_S, SAMPLE_S = 64, 60.0, 0.25
HERD_ALL_S = 10.0


@dataclass(frozen=True)
class Plan:
    """`seconds` of a cell and of an attack, at least; `share` of the capacity that honest callers ask for.

    `quiet_s` before an attack and after it; `rounds` of the overload; `herd`: clients that come back at once.
    """

    seconds: float = 5.0
    quiet_s: float = 5.0
    rounds: int = 3
    share: float = 0.4
    deadline_ms: float = 250.0
    callers: int = 32
    users: int = 4000
    herd: int = 1000


def run_flood(
    bundle: Path,
    plan: Plan | None = None,
    rows: Sequence[str] = NAMES,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Measure the capacity, then every row; print a table.

    Raises:
        BenchError: an unknown row, a service that does not start or answer, an attack that breaks, too few open files.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if unknown := set(rows) - set(NAMES):
        raise BenchError(f"{', '.join(sorted(unknown))} is no row; there are {', '.join(NAMES)}")
    most = max((ROWS[name].connections for name in rows if name in ROWS), default=0)
    if room_for(most) < most:
        raise BenchError(f"{most} connections need more open files than this machine allows (ulimit -n)")
    bodies = _bodies(bundle, plan, seed)
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as folder:
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan), "rows": {}}
        run = _Run(bundle, plan, bodies, Path(folder), cores, seed)
        with progress("rows", len(rows)) as advance:
            for number, name in enumerate(rows):
                result["rows"][name] = run.row(name)
                advance(number + 1)
    result |= {"capacity": run.capacity, "kept": not any(row["wrong"] for row in result["rows"].values())}
    show(result, out)
    out.end(result)
    return result


def _bodies(bundle: Path, plan: Plan, seed: int) -> list[bytes]:
    headers = {"X-Request-Timeout-Ms": f"{plan.deadline_ms:g}"}
    histories = workload.distinct(workload.read_items(bundle), plan.users, seed)
    return [workload.recommend(one, headers, k=10, user_id=f"u{n}") for n, one in enumerate(histories)]


class _Run:
    """One run: every row has a service of its own, the settings those that are shipped."""

    def __init__(
        self, bundle: Path, plan: Plan, bodies: Sequence[bytes], folder: Path, cores: machine.Cores, seed: int
    ) -> None:
        self._bundle, self._plan, self._bodies, self._folder = bundle, plan, bodies, folder
        self._cores, self._seed, self.capacity = cores, seed, 0.0

    def row(self, name: str) -> dict[str, Any]:
        if name == HERD:
            with RedisServer() as redis, self._service(name, redis_url=redis.url) as service:
                machine.pin(redis.pid, self._cores.driver)
                return self._herd(service, redis)
        with self._service(name) as service:
            if name == OVERLOAD:
                times = (self._plan.seconds, self._plan.rounds, self._plan.deadline_ms / 1000, self._seed)
                return overload(service, self._cores.service, Flood(self._bodies, self.capacity, *times))
            return self._attacked(service, ROWS[name])

    @contextmanager
    def _service(self, name: str, **settings: object) -> Iterator[Service]:
        """Started, warm, and the capacity known: answers a second of tier k50 to callers who wait for them,
        the best of three runs after one to warm up."""
        log = self._folder / f"{name}.log"
        with Service(log, self._cores.service, bundle=self._bundle.resolve(), **settings) as service:
            if not self.capacity:
                self.capacity = self._measured(service)
            flood_lean.fire(service.port, self._bodies, open_loop.arrivals([Step(self._honest, 2.0)]), LANES)
            yield service

    @property
    def _honest(self) -> float:
        return self._plan.share * self.capacity

    def _measured(self, service: Service) -> float:
        items, count = workload.read_items(self._bundle), 20 * self._plan.callers
        rates = []
        for turn in range(4):
            histories = workload.histories(items, count, self._seed + 100 + turn)
            bodies = [workload.recommend(one, k=10, budget="k50") for one in histories]
            shots = closed_loop.answered(closed_loop.run(service.url, bodies, self._plan.callers))
            rates.append(closed_loop.per_second(shots))
        return max(rates[1:])

    def _attacked(self, service: Service, row: Row) -> dict[str, Any]:
        plan, deadline_s = self._plan, self._plan.deadline_ms / 1000
        lasts, before = max(plan.seconds, row.least_s), plan.quiet_s
        times = open_loop.arrivals([Step(self._honest, before + lasts + plan.quiet_s)], seed=self._seed)
        request = b"" if row.attack in ALONE else self._bodies[0]
        memory = service.memory_bytes()
        attack = Running(row.attack, service.port, row.connections, before, lasts, request)
        try:
            with _peak(service) as highest:
                fired = flood_lean.fire(service.port, self._bodies, times, LANES)
            told = attack.told()
        finally:
            attack.kill()
        parts = {
            "before": window(fired, 0.0, before, deadline_s),
            "during": window(fired, before + 1, before + lasts, deadline_s),
            "after": window(fired, before + lasts + 2, before + lasts + plan.quiet_s, deadline_s),
        }
        found: dict[str, Any] = {name: asdict(part) for name, part in parts.items()}
        found |= {"told": told, "growth_mb": (max(highest) - memory) / 1e6, "limited": limited(fired)}
        return found | {"ratio": parts["during"].goodput / parts["before"].goodput, "wrong": self._wrong(row, found)}

    def _wrong(self, row: Row, found: dict[str, Any]) -> list[str]:
        during, before = found["during"], found["before"]
        wrong = [found["limited"], row.bar(found["told"])]
        if during["goodput"] < row.share * before["goodput"]:
            wrong.append(f"honest callers had {during['goodput']:.0f} answers a second of {before['goodput']:.0f}")
        if (during["p99_ms"] or float("inf")) > self._plan.deadline_ms:
            wrong.append(f"their p99 was {during['p99_ms']} ms")
        if found["growth_mb"] > row.growth_mb:
            wrong.append(f"memory grew by {found['growth_mb']:.0f} MB")
        failed = sum(found[name]["failed"] for name in ("before", "during", "after"))
        return [*filter(None, wrong), *([f"{failed} honest requests failed"] if failed else [])]

    def _herd(self, service: Service, redis: RedisServer) -> dict[str, Any]:
        """All clients at once, first to the service that runs, then to one that starts with nothing in any cache."""
        clients = list(self._bodies[: self._plan.herd])
        warm = flood_herd.rush(service.port, clients, HERD_S)
        service.kill()
        redis.command("FLUSHALL")
        starting = threading.Thread(target=service.__enter__)
        starting.start()
        cold = flood_herd.rush(service.port, clients, HERD_S)
        starting.join()
        found = {"warm": warm.plain(), "cold": cold.plain()}
        return found | {"wrong": _herd_wrong(found["cold"])}


def _herd_wrong(cold: dict[str, float]) -> list[str]:
    wrong = []
    if cold["unanswered"]:
        wrong.append(f"{cold['unanswered']} clients were never answered")
    elif cold["all_s"] > HERD_ALL_S:
        wrong.append(f"the last client was answered after {cold['all_s']:g} s")
    other = {name: count for name, count in cold.items() if name == "cut off" or name.isdigit()}
    return [*wrong, *([f"clients were told {other}"] if other else [])]


@contextmanager
def _peak(service: Service) -> Iterator[list[int]]:
    """Resident memory, in bytes, sampled while the context lasts."""
    found, over = [service.memory_bytes()], threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            found.append(service.memory_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()
