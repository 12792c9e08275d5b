"""The scale benchmark: catalogues from ten thousand to ten million items, the same model, one core, in one run.

Every size is a process of its own. They take turns, round by round, so that a busy machine slows all of them; ratios
are taken within a round, against the 12,101 items of the other benchmarks.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.bench import machine, scale_plot, venvs
from loadtest.bench.machine import Cores
from loadtest.bench.output import Output, spread
from loadtest.bench.peers_race import free_core
from loadtest.bench.process import Worker
from loadtest.bench.scale_table import print_scale
from loadtest.bench.scale_world import SIZES
from loadtest.bench.venvs import BenchError

BASE = "12k"
TIERS = ("k50", "k200")
HNSW = ("faiss-cpu==1.15.1", "numpy==2.4.6")
EFFORTS = (64, 256, 1024)  # efSearch
WORKERS = Path(__file__).parent / "workers"
START_S = 3600.0
_MOST_ROUNDS_OF_SCANS = 5


@dataclass(frozen=True)
class Plan:
    """What to measure: names of sizes, kinds of codes (uniform, skewed), sizes that also get an HNSW graph."""

    sizes: tuple[str, ...] = ("10k", "12k", "100k", "1m", "10m")
    codes: tuple[str, ...] = ("skewed", "uniform")
    hnsw: tuple[str, ...] = ("1m",)
    rounds: int = 7
    requests: int = 20
    updates: int = 3
    core: int | None = None

    def check(self) -> None:
        """Raises BenchError for a size or a kind of codes that there is not, and for too few rounds."""
        unknown = [name for name in (*self.sizes, *self.hnsw) if name not in SIZES]
        if unknown:
            raise BenchError(f"there is no size '{unknown[0]}'; there are {', '.join(SIZES)}")
        if set(self.codes) - {"uniform", "skewed"} or not self.codes:
            raise BenchError(f"codes are uniform or skewed, not {', '.join(self.codes) or 'nothing'}")
        if set(self.hnsw) - set(self.sizes):
            raise BenchError("a size with an HNSW graph must be among the sizes")
        if self.rounds < 5 or self.requests < 1 or self.updates < 1:
            raise BenchError("the benchmark needs at least 5 rounds, 1 request a round and 1 update")


class Steps(Worker):
    """A worker that does what it is told, a step a line."""

    def call(self, step: str, **arguments: Any) -> dict[str, Any]:
        """What the worker says of the step. Raises BenchError where it stopped."""
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write(json.dumps({"do": step, **arguments}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._stopped() from None
        return self._answer()

    def times(self, step: str, requests: Sequence[int], **arguments: Any) -> float:
        """Median milliseconds of these requests."""
        return float(statistics.median(self.call(step, requests=list(requests), **arguments)["ns"])) / 1e6


def run_scale(plan: Plan, figure: Path | None = None, json_output: bool = False) -> dict[str, Any]:
    """Measure, print the tables, return the result; `figure`: where to draw it.

    Raises:
        BenchError: the plan asks for what there is not, a worker failed, or the figure cannot be written.
    """
    plan.check()
    core, output = free_core(plan.core), Output(json_output)
    result: dict[str, Any] = {
        "machine": machine.describe(Cores((), ())) | {"core": core, "cores": f"every size on core {core} only"},
        "base": BASE,
        "rounds": plan.rounds,
        "requests": plan.requests,
        "codes": {codes: _measure(plan, codes, core) for codes in plan.codes},
    }
    print_scale(result, output)
    if figure:
        scale_plot.plot(result, figure)
    output.end(result)
    return result


def _measure(plan: Plan, codes: str, core: int) -> dict[str, Any]:
    names = tuple(dict.fromkeys((BASE, *plan.sizes)))
    with tempfile.TemporaryDirectory(prefix="promise-scale-") as folder, ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(name, codes, core, Path(folder))) for name in names}
        rounds = [_round(workers, number, plan.requests) for number in range(plan.rounds + 1)][1:]
        scans = [_scans(workers, number) for number in range(min(plan.rounds, _MOST_ROUNDS_OF_SCANS))]
        for number, scanned in enumerate(scans):
            for name in names:
                rounds[number][name]["scan"] = scanned[name]
        updates = {
            name: [worker.call("update", seed=seed) for seed in range(plan.updates)] for name, worker in workers.items()
        }
        facts = {name: worker.ready for name, worker in workers.items()}
        graphs = {name: _hnsw(workers[name], name, plan, core, Path(folder)) for name in plan.hnsw}
    sizes = {name: facts[name] | _summary(rounds, name) | _updated(updates[name]) for name in names}
    return {"sizes": sizes, "hnsw": graphs, "rounds": rounds, "updates": updates}


def _worker(name: str, codes: str, core: int, folder: Path) -> Steps:
    own = folder / name
    own.mkdir()
    print(f"making the catalogue of {SIZES[name].items:,} items, {codes} codes ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "loadtest.bench.workers.scale", name, codes, str(own), str(core)]
    return Steps(name, command, folder / f"{name}.log", START_S)


def _round(workers: Mapping[str, Steps], number: int, count: int) -> dict[str, dict[str, float]]:
    """Milliseconds of every size: encoding, and searching at each tier."""
    requests = range(number * count, (number + 1) * count)
    times: dict[str, dict[str, float]] = {name: {} for name in workers}
    for name, worker in workers.items():
        times[name]["encode"] = worker.times("encode", requests)
    for tier in TIERS:
        for name, worker in workers.items():
            times[name][tier] = worker.times("search", requests, tier=tier)
    return times


def _scans(workers: Mapping[str, Steps], number: int) -> dict[str, float]:
    return {name: worker.times("scan", range(4 * number, 4 * number + 4)) for name, worker in workers.items()}


def _summary(rounds: Sequence[Mapping[str, Mapping[str, float]]], name: str) -> dict[str, Any]:
    """Medians in milliseconds, and ratios to the base size and of the scan to the default tier, within rounds."""
    own, base = [one[name] for one in rounds], [one[BASE] for one in rounds]
    ms = {step: statistics.median(one[step] for one in own if step in one) for step in ("encode", *TIERS, "scan")}
    ratios = {tier: spread([mine[tier] / its[tier] for mine, its in zip(own, base, strict=True)]) for tier in TIERS}
    scanned = spread([one["scan"] / one[TIERS[0]] for one in own if "scan" in one])
    return {"ms": ms, "over_base": ratios, "scan_over_search": scanned}


def _updated(updates: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    worst = {name: max(one[name] for one in updates) for name in ("pause_s", "idle_pause_s", "peak_gb")}
    return {"update_s": spread([one["wall_s"] for one in updates]), **worst}


def _hnsw(worker: Steps, name: str, plan: Plan, core: int, folder: Path) -> dict[str, Any]:
    """Build and search an HNSW graph over the leaf rows of a size; times beside the scan of this size."""
    worker.call("save", path=str(folder))
    python = venvs.ensure("hnsw", HNSW)
    print(f"building an HNSW graph of {SIZES[name].items:,} items (minutes) ...", file=sys.stderr, flush=True)
    command = [str(python), "-I", str(WORKERS / "scale_hnsw.py"), str(SIZES[name].items), str(folder), str(core)]
    found: dict[str, list[dict[str, float]]] = {str(effort): [] for effort in EFFORTS}
    with Steps("hnsw", command, folder / f"hnsw-{name}.log", START_S) as graph:
        for number in range(plan.rounds):
            requests = list(range(number * plan.requests, (number + 1) * plan.requests))
            search = worker.times("search", requests, tier=TIERS[0])
            for effort in EFFORTS:
                answer = graph.call("search", requests=requests, effort=effort)
                ms = statistics.median(answer["ns"]) / 1e6
                found[str(effort)].append({"ms": ms, "over_search": ms / search, "recall": answer["recall"]})
        return graph.ready | {"efforts": {effort: _medians(rows) for effort, rows in found.items()}}


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}
