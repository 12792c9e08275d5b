"""A soak: the real service and a real Redis under a mixed load for an hour, while an operator changes things.

The service is pinned to a core of its own. First everything it may remember is filled, then the capacity of the mix is
measured in a closed loop; from then on arrivals come at a share of that capacity whatever happens. After the warm-up
memory, handles and threads must stay flat, and nothing may fail at any time.
"""

import gc
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from loadtest import workload
from loadtest.bench import machine
from loadtest.bench.output import Output
from loadtest.bench.reload import RULES, copy
from loadtest.bench.service import Service
from loadtest.bench.soak.changes import NEXT, SLOT, TOKEN
from loadtest.bench.soak.plan import Found, Plan
from loadtest.bench.soak.plot import plot
from loadtest.bench.soak.redis import DurableRedis
from loadtest.bench.soak.run import Soak
from loadtest.bench.soak.table import show
from loadtest.bench.soak.texts import experiments
from loadtest.bench.soak.verdict import gates, trends
from loadtest.bench.venvs import BenchError
from loadtest.crowd import Crowd

POPULAR = 200  # items of which some are taken off sale now and then
TTL_S = 120  # of an encoding in Redis, so that it forgets as fast as it learns


def run_soak(
    bundle: Path, plan: Plan | None = None, out: Path | None = None, seed: int = 0, json_output: bool = False
) -> dict[str, Any]:
    """Fill, measure, load, judge. `out` takes samples.csv while it runs, soak.svg and result.json at the end.

    Raises:
        BenchError: a plan that measures nothing; a service or Redis that does not start, or dies.
        WorkloadError: the bundle has no catalogue.
    """
    plan, said = plan or Plan(), Output(json_output)
    if plan.look_s <= 0 or 60 * plan.minutes < 8 * plan.look_s or plan.users < 1 or plan.load <= 0:
        raise BenchError("a soak needs users, a load, and eight samples after its warm-up")
    results = out or Path("runs", "soak", time.strftime("%Y%m%d-%H%M%S"))
    results.mkdir(parents=True, exist_ok=True)
    with machine.pinned() as cores:
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan), "folder": str(results)}
        said.header(f"Soak: {bundle.name}, {plan.minutes:g} min at {plan.load:g} of the capacity", result)
        found = _soaked(bundle, plan, cores, results, said, seed)
    result |= judged(found, plan)
    show(result, said)
    (results / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(found.samples, plan.warm_s, results / "soak.svg")
    said.end(result)
    return result


def _soaked(bundle: Path, plan: Plan, cores: machine.Cores, results: Path, out: Output, seed: int) -> Found:
    crowd, items = Crowd(bundle, plan.users, seed), popular(bundle)
    with tempfile.TemporaryDirectory(prefix="promise-soak-") as name, DurableRedis() as redis:
        folder = Path(name)
        for slot, rule in zip((SLOT, NEXT), RULES, strict=True):
            copy(bundle, folder / slot, rule)
        (folder / "experiments.yaml").write_text(experiments(1))
        settings = {
            "bundle": folder / SLOT,
            "redis_url": redis.url,
            "cache_mb": plan.cache_mb,
            "cache_ttl_s": TTL_S,
            "experiments": folder / "experiments.yaml",
            "admin_token": TOKEN,
            "feedback_secret": TOKEN,
        }
        log = folder / "service.log"
        with Service(log, cores.service, **settings) as service:
            machine.pin(redis.pid, cores.driver)
            gc.freeze()  # the driver's own: it should not look through the crowd again and again
            soak = Soak(plan, service, redis, crowd, items, log, out, seed)
            return uvloop.run(soak.run(folder, results))


def popular(bundle: Path) -> Sequence[str]:
    items = workload.read_items(bundle)
    return [str(item) for item in items.ids[np.argsort(-items.popularity, kind="stable")[:POPULAR]]]


def judged(found: Found, plan: Plan) -> dict[str, Any]:
    """The figures, their trends, the gates, and whether all are kept."""
    over = trends(found.samples, plan.warm_s)
    checks = gates(found, over)
    return found.plain() | {
        "trends": {name: asdict(one) | {"growth": one.growth} for name, one in over.items()},
        "gates": [asdict(gate) | {"kept": gate.kept} for gate in checks],
        "kept": all(gate.kept for gate in checks),
    }
