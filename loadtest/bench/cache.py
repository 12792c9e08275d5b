"""What the encoding cache brings: hit ratios of returning users, bytes in Redis, and time against recomputing.

Two sizes: a bundle as it ships, and a heavy one with random weights. A hit must be cheaper than the encoding that it
replaces at the heavy size; where the shipped size's is not, the table says so.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import cache_costs, cache_hits, heavy, machine
from loadtest.bench.cache_hits import Traffic
from loadtest.bench.cache_table import show_costs, show_hits, show_verdict
from loadtest.bench.output import Output
from loadtest.bench.venvs import BenchError

TYPICAL = 10  # items of a usual history


@dataclass(frozen=True)
class Plan:
    """Returning users; history lengths to price at both sizes, and how many histories of each."""

    traffic: Traffic = field(default_factory=Traffic)
    lengths: tuple[int, ...] = (5, 10, 20, 50)
    heavy_lengths: tuple[int, ...] = (5, 10, 20, 40, 60)
    each: int = 200


def run_cache(
    bundle: Path,
    plan: Plan | None = None,
    heavy_bundle: Path | None = None,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Hit ratios on `bundle`, then costs on it and on the heavy bundle (exported first where it is not there).

    Raises:
        BenchError: no redis-server, a service that does not start or answer, or a heavy bundle that cannot be made.
        WorkloadError: a bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if plan.each < 2 or min((*plan.lengths, *plan.heavy_lengths), default=0) < 1:
        raise BenchError("the benchmark needs two histories or more of every length")
    large = heavy_bundle or heavy.ensure()
    for path in (bundle, large):
        workload.read_items(path)  # a wrong folder is told before anything starts
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as name:
        result, folder = machine.describe(cores), Path(name)
        out.header("The encoding cache: hits, bytes, and time against recomputing", result)
        result["shipped"] = cache_hits.measure(bundle, plan.traffic, folder, cores, seed)
        show_hits(result["shipped"], out)
        sizes = {"shipped": (bundle, plan.lengths), "heavy": (large, plan.heavy_lengths)}
        for size, (path, lengths) in sizes.items():
            costs = cache_costs.measure(path, lengths, plan.each, folder, cores, seed)
            result.setdefault(size, {}).update(costs | {"bundle": path.name})
            show_costs(f"{size} ({path.name})", costs["lengths"], out)
    result |= verdict(result, plan)
    show_verdict(result, out)
    out.end(result)
    return result


def verdict(result: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Net ms saved a request of the measured traffic, by size and length, and whether a heavy hit saves time at all."""
    net = {
        size: {
            length: {process: net_ms(share, result[size]["lengths"][length]["saved_ms"]) for process, share in hits}
            for length in (min(lengths, key=lambda length: abs(length - TYPICAL)), max(lengths))
        }
        for hits in [list(result["shipped"]["hits"].items())]
        for size, lengths in (("shipped", plan.lengths), ("heavy", plan.heavy_lengths))
    }
    full = result["heavy"]["lengths"][max(plan.heavy_lengths)]["saved_ms"]
    return {"net_ms": net, "kept": min(full["Redis hit"], full["memory hit"]) >= 0}


def net_ms(share: Mapping[str, float], saved: Mapping[str, float]) -> float:
    """Hits save; a miss costs what the look-up in Redis costs, where there is a Redis."""
    lost = saved["Redis miss"] if share["redis"] else 0.0
    return share["memory"] * saved["memory hit"] + share["redis"] * saved["Redis hit"] + share["miss"] * lost
