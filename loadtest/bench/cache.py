"""What the encoding cache brings: hit ratios of returning users, bytes in Redis, and time against recomputing.

Two sizes: a bundle as it ships, and a heavy one with random weights. A hit must be cheaper than the encoding that it
replaces at the heavy size; where the shipped size's is not, the table says so.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import cache_costs, cache_hits, heavy, machine
from loadtest.bench.cache_hits import Traffic
from loadtest.bench.cache_table import show_costs, show_hits, show_verdict
from loadtest.bench.output import Output
from loadtest.bench.venvs import BenchError


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
    """Net time of a request of the measured traffic, and whether a hit is cheaper at the heavy size's full length."""
    full = result["heavy"]["lengths"][max(plan.heavy_lengths)]
    typical = min(plan.lengths, key=lambda length: abs(length - 10))
    saved = result["shipped"]["lengths"][typical]["saved_ms"]
    hits = result["shipped"]["hits"]
    net = {
        process: share["memory"] * saved["memory hit"]
        + share["redis"] * saved["Redis hit"]
        + share["miss"] * (saved["Redis miss"] if "no Redis" not in process else 0.0)
        for process, share in hits.items()
    }
    kept = full["saved_ms"]["Redis hit"] >= 0 and full["saved_ms"]["memory hit"] >= 0
    return {"net_ms": net, "net_length": typical, "kept": kept}
