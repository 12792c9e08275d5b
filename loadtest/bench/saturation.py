"""Saturation: offered load against latency, goodput, tiers and the quality of what was served, adaptive and not.

Open loop: arrivals come when a Poisson schedule says so and latency counts from there. The same users with the same
arrivals ask in every mode, one mode after another at each rate, so that modes are compared pair by pair. Capacity is
what a closed loop gets from the fixed tier. Encodings are not cached: every request is encoded.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest import open_loop, workload
from loadtest.bench import closed_loop, machine
from loadtest.bench.output import Output, progress
from loadtest.bench.saturation_plot import plot
from loadtest.bench.saturation_rows import Cell, Run, cell, plain, ratios, rows
from loadtest.bench.saturation_table import show
from loadtest.bench.saturation_users import K, Users, users_of
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.open_loop import Step

ADAPTIVE = "auto"
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
PAUSE_S = 0.5
COMPARED = ("goodput", "ndcg_a_second", "p99_ms")


@dataclass(frozen=True)
class Plan:
    """Seconds of a cell, `warm_s` of them unjudged; `modes`: budgets, the first one adaptive, the second its rival.

    `connections` are open from the start, as those of a proxy's pool. `places`: PROMISE_MAX_CONCURRENT, 0: its default.
    """

    seconds: float = 5.0
    warm_s: float = 1.0
    deadline_ms: float = 250.0
    modes: tuple[str, ...] = (ADAPTIVE, "k50", "floor")
    repeats: int = 3
    factors: tuple[float, ...] = FACTORS
    callers: int = 32
    connections: int = 512
    capacity: float = 0.0
    places: int = 0


def run_saturation(
    bundle: Path,
    plan: Plan | None = None,
    data_dir: Path | None = None,
    figure: Path | None = None,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Measure the capacity, then every cell; print a table; `figure`: where to draw it (.svg or .png).

    Raises:
        BenchError: a plan that measures nothing, data that is not there, a service that does not start or answer.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if plan.repeats < 1 or not 0 <= plan.warm_s < plan.seconds or min(plan.factors, default=0) <= 0:
        raise BenchError("a saturation run needs a repeat, positive factors, and seconds beyond the warm-up")
    if len(plan.modes) < 2:
        raise BenchError("a saturation run needs two modes to compare")
    users = users_of(bundle, data_dir, seed)
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as folder:
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan), "quality": users.source}
        settings: dict[str, object] = {"bundle": bundle.resolve(), "cache_mb": 0}
        settings |= {"max_concurrent": plan.places} if plan.places else {}
        with Service(Path(folder, "service.log"), cores.service, **settings) as service:
            capacity = plan.capacity or _capacity(service, users, plan, seed)
            cells = _cells(service, users, plan, capacity, seed)
    result |= {"capacity": capacity, "rows": rows(cells), "cells": plain(cells)}
    result["ratios"] = {name: ratios(cells, plan.modes[0], plan.modes[1], name) for name in COMPARED}
    result["driver_busy"] = max(one.driver_busy for one in cells)
    show(result, out)
    if figure is not None:
        plot(result, figure)
    out.end(result)
    return result


def _capacity(service: Service, users: Users, plan: Plan, seed: int) -> float:
    """Answers a second of the second mode's tier, the middle of three runs after one to warm up."""
    rng, rates = np.random.default_rng([seed, 1]), []
    for _ in range(4):
        numbers = users.drawn(20 * plan.callers, rng)
        bodies = [_body(users, number, plan.modes[1]) for number in numbers]
        rates.append(closed_loop.per_second(closed_loop.answered(closed_loop.run(service.url, bodies, plan.callers))))
    return sorted(rates[1:])[1]


def _cells(service: Service, users: Users, plan: Plan, capacity: float, seed: int) -> list[Cell]:
    """Every factor once, with all modes, before any factor comes again; the first mode takes turns."""
    found, rng = list[Cell](), np.random.default_rng([seed, 2])
    with progress("cells", plan.repeats * len(plan.factors) * len(plan.modes)) as advance:
        for repeat in range(plan.repeats):
            for place, factor in enumerate(plan.factors):
                schedule = [Step(factor * capacity, plan.seconds)]
                times = open_loop.arrivals(schedule, seed=int(rng.integers(1 << 31)))
                numbers = users.drawn(len(times), rng)
                first = (repeat + place) % len(plan.modes)
                for mode in (*plan.modes[first:], *plan.modes[:first]):
                    found.append(_cell(service, users, plan, (mode, factor, repeat), times, numbers))
                    advance(len(found))
    return found


def _cell(
    service: Service,
    users: Users,
    plan: Plan,
    key: tuple[str, float, int],
    times: Sequence[float],
    numbers: Sequence[int],
) -> Cell:
    headers = {"X-Request-Timeout-Ms": f"{plan.deadline_ms:g}"}
    bodies = [_body(users, number, key[0], headers) for number in numbers]
    time.sleep(PAUSE_S)  # what the last cell left behind is over
    began, spent = time.perf_counter(), time.process_time()
    shots = open_loop.run(service.url, bodies.__getitem__, times, connections=plan.connections)
    busy = (time.process_time() - spent) / (time.perf_counter() - began)
    run = Run(*key, numbers, plan.warm_s, plan.seconds, plan.deadline_ms / 1000, busy)
    return cell(shots, run, users)


def _body(users: Users, number: int, mode: str, headers: dict[str, str] | None = None) -> bytes:
    return workload.recommend(users.histories[number], headers, k=K, budget=mode)
