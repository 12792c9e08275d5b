"""promise bench ray: the service on a local Ray cluster of two nodes, one core each, beside the single process."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loadtest.bench import machine
from loadtest.bench.output import Output
from loadtest.bench.ray import rows as ray_rows
from loadtest.bench.ray import scale as ray_scale
from loadtest.bench.ray.cluster import RayCluster
from loadtest.bench.ray.drivers import Drivers
from loadtest.bench.ray.events import CHANGES, run_events
from loadtest.bench.ray.rows import Load
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError

ROWS = ("scale", "answers", "affinity", *CHANGES)
EFFICIENCY = 0.8
SECRET = "one secret for all replicas"  # noqa: S105 - of a cluster that lives for minutes on this machine


@dataclass(frozen=True)
class Plan:
    """The rows; how throughput is measured; the load beside events; users and visits of the affinity row."""

    rows: tuple[str, ...] = ROWS
    scale: ray_scale.Plan = field(default_factory=ray_scale.Plan)
    load: Load = field(default_factory=Load)
    users: int = 150
    visits: int = 600


def run_ray(bundle: Path, plan: Plan | None = None, json_output: bool = False) -> dict[str, Any]:
    """Start cluster and single process, run the rows, print a table for each.

    Raises:
        BenchError: fewer than two cores, a cluster or a service that does not start, an unknown row.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out, bundle = plan or Plan(), Output(json_output), bundle.resolve()
    if unknown := set(plan.rows) - set(ROWS):
        raise BenchError(f"there are no rows {', '.join(sorted(unknown))}; there are: {', '.join(ROWS)}")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2 and "scale" in plan.rows:
        raise BenchError("two nodes of one core each need two cores")
    cores = [(usable[0],), (usable[-1],)]
    result = machine.describe(machine.Cores((), ())) | {"bundle": bundle.name, "plan": asdict(plan)}
    result["cores"] = f"a node with proxy, replica and driver on core {usable[0]}, another on core {usable[-1]}"
    result["versions"] |= {"ray": version("ray")}
    out.header(f"Ray: {bundle.name} on two nodes", result)
    with ExitStack() as opened, tempfile.TemporaryDirectory(prefix="promise-bench-") as name:
        folder = Path(name)
        own: dict[str, Any] = {"bundle": bundle, "feedback_secret": SECRET}
        single = opened.enter_context(Service(folder / "single.log", cores[0], **own))
        cluster = opened.enter_context(RayCluster(folder / "ray", cores, **own))
        if "scale" in plan.rows:
            bodies = {tier: ray_rows.bodies(bundle, replace(plan.load, tier=tier)) for tier in plan.scale.tiers}
            with Drivers(cores) as drivers:
                result["scale"] = ray_scale.run_scale(cluster, single, drivers, bodies, plan.scale)
            _show_scale(result["scale"], out)
        cluster.deploy(2)
        if "answers" in plan.rows:
            result["answers"] = _answers(cluster, single, bundle, plan)
            out.say(f"answers that are not those of the single process, of {plan.load.users}: {result['answers']}")
        if "affinity" in plan.rows:
            result["affinity"] = _affinity(cluster, bundle, plan)
            out.say(
                "returning visits that find their encoding warm: {stay:.2f} with a session, {roam:.2f} without".format(
                    **result["affinity"]
                )
            )
        result["events"] = run_events(
            cluster, bundle, folder, plan.load, [row for row in plan.rows if row in CHANGES], out
        )
    result["kept"] = kept(result)
    out.say("kept" if result["kept"] else "not kept")
    out.end(result)
    return result


def _answers(cluster: RayCluster, single: Service, bundle: Path, plan: Plan) -> dict[str, int]:
    ways = {"proxy": ray_rows.proxies(cluster), "door": ray_rows.doors(cluster)}
    urls = {f"{way} {n}": url for way, found in ways.items() for n, url in enumerate(found)}
    return ray_rows.answers({"single": single.url, **urls}, ray_rows.bodies(bundle, plan.load))


def _affinity(cluster: RayCluster, bundle: Path, plan: Plan) -> dict[str, float]:
    url, shares = cluster.nodes[0].proxy, {"stay": True, "roam": False}
    return {
        name: ray_rows.warm_share(url, bundle, plan.users, plan.visits, stay, seed)
        for seed, (name, stay) in enumerate(shares.items(), 1)
    }


def kept(result: Mapping[str, Any]) -> bool:
    """Two replicas at their own doors are worth 1.6 and more; no answer differs; nothing failed after the policy."""
    rows = result.get("scale", {}).get("rows", [])
    efficient = all(row["efficiency"] >= EFFICIENCY and not row["failed"] for row in rows)
    same = not any(result.get("answers", {}).values())
    whole = all(row["kept"] for row in result["events"])
    return efficient and same and whole


def _show_scale(found: Mapping[str, Any], out: Output) -> None:
    names = ("tier", "way", "single/s", "1 replica/s", "2 replicas/s", "1 replica : single", "efficiency", "failed")
    keys = ("tier", "way", "single", "one", "two", "one_of_single", "efficiency", "failed")
    out.table(names, [[row[key] for key in keys] for row in found["rows"]])
