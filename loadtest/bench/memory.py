"""What a service costs before its first request: seconds from exec to ready, memory, bytes of a cached encoding."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import closed_loop, machine
from loadtest.bench.output import Output, spread
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError

MB = 1_000_000


@dataclass(frozen=True)
class Plan:
    """`starts` of the service; then `users` of the last one, each with a history of their own, at `tier`."""

    starts: int = 5
    users: int = 2000
    callers: int = 32
    tier: str = "k50"


def run_start(bundle: Path, plan: Plan, seed: int = 0, json_output: bool = False) -> dict[str, Any]:
    """Start the service over and over, on all cores; then let everyone ask once.

    Raises:
        BenchError: fewer than two starts, or a request that was not answered.
        WorkloadError: the bundle has no catalogue, or not so many histories.
    """
    if plan.starts < 2 or plan.users < plan.callers:
        raise BenchError("the benchmark needs 2 starts or more, and a user per caller")
    items = workload.read_items(bundle)
    histories = workload.distinct(items, plan.users, seed)
    result = machine.describe(machine.Cores((), ())) | {"bundle": bundle.name, "users": plan.users}
    ready, fresh = zip(*(_start(bundle) for _ in range(plan.starts)), strict=True)
    result |= {"ready_s": spread(ready), "fresh_mb": spread(fresh)} | _asked(bundle, plan, histories)
    out = Output(json_output)
    show(result, out)
    out.end(result)
    return result


def _start(bundle: Path) -> tuple[float, float]:
    """Seconds until ready, as looks 50 ms apart see it, and megabytes then."""
    with tempfile.TemporaryDirectory(prefix="promise-bench-") as made:
        began = time.perf_counter()
        with Service(Path(made, "log"), bundle=bundle.resolve()) as service:
            return time.perf_counter() - began, service.memory_bytes() / MB


def _asked(bundle: Path, plan: Plan, histories: Sequence[workload.History]) -> dict[str, Any]:
    """Memory after everyone asked, and what an encoding takes; `longest` as long as the encoder reads."""
    bodies = [workload.recommend(history, k=10, budget=plan.tier) for history in histories]
    settings: dict[str, Any] = {"max_concurrent": 4 * plan.callers, "request_timeout_ms": 60_000}
    with (
        tempfile.TemporaryDirectory(prefix="promise-bench-") as made,
        Service(Path(made, "log"), bundle=bundle.resolve(), **settings) as service,
    ):
        closed_loop.answered(closed_loop.run(service.url, bodies, plan.callers))
        found, used = service.metrics(), service.memory_bytes() / MB
    lengths = [len(history) for history in histories]
    return {
        "used_mb": used,
        "encodings": found["promise_cache_entries"],
        "encoding_bytes": found["promise_cache_bytes"] / found["promise_cache_entries"],
        "history_items": {"mean": statistics.mean(lengths), "max": max(lengths)},
    }


def show(result: dict[str, Any], out: Output) -> None:
    out.header(f"Start and memory: {result['bundle']}", result)
    ready, fresh = result["ready_s"], result["fresh_mb"]
    out.say(f"ready {ready['median']:.2f} s after exec ({ready['min']:.2f} … {ready['max']:.2f})")
    out.say(
        f"resident memory {fresh['median']:.0f} MB when ready, {result['used_mb']:.0f} MB after {result['users']} users"
    )
    items = result["history_items"]
    out.say(
        f"a cached encoding takes {result['encoding_bytes']:.0f} bytes, its key and place included "
        f"(histories of {items['mean']:.1f} items, {items['max']} at most)"
    )
