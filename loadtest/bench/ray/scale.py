"""Throughput of one replica and of two, on nodes of one core each, beside the service as a single process.

Every core carries a node, with its proxy and its replica, and the driver of that node; one replica is driven by the
driver of its own core alone, and so is the single process. The sides take turns.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.bench.ray.cluster import RayCluster
from loadtest.bench.ray.drivers import Drivers, Found
from loadtest.bench.ray.nodes import REPLICA
from loadtest.bench.service import Service

SINGLE, PROXY, DOOR = "single process", "Ray's proxy", "own door"
Side = tuple[str, str, int]  # way, tier, replicas
Runs = dict[Side, list[list[Found]]]  # round by round, a finding for each driver


@dataclass(frozen=True)
class Plan:
    """Turns of one replica and of two; rounds in a turn; requests of a driver in a round; callers of a driver."""

    turns: int = 2
    rounds: int = 2
    requests: int = 300
    callers: int = 8
    tiers: tuple[str, ...] = ("k50", "k200")


def run_scale(
    cluster: RayCluster, single: Service, drivers: Drivers, bodies: Mapping[str, Sequence[bytes]], plan: Plan
) -> dict[str, Any]:
    """`bodies` by tier; the single process shares the first core with the first driver."""
    runs: Runs = {}
    for _ in range(plan.turns):
        for replicas in (1, 2):
            cluster.deploy(replicas)
            for _ in range(plan.rounds):
                for tier in plan.tiers:
                    for way, urls in _sides(cluster, single, replicas).items():
                        asked = [bodies[tier][n % len(bodies[tier])] for n in range(plan.requests)]
                        found = drivers.run(urls, asked, plan.callers)
                        runs.setdefault((way, tier, replicas), []).append(found)
    return {"rows": rows(runs, plan.tiers)}


def _sides(cluster: RayCluster, single: Service, replicas: int) -> dict[str, list[str | None]]:
    """Which address each driver takes; the single process has its turns among those of one replica."""
    proxies = [node.proxy if node.pids(REPLICA) else None for node in cluster.nodes]
    doors = [node.door if node.pids(REPLICA) else None for node in cluster.nodes]
    found: dict[str, list[str | None]] = {PROXY: proxies, DOOR: doors}
    return found if replicas > 1 else {SINGLE: [single.url, *([None] * (len(doors) - 1))], **found}


def rows(runs: Runs, tiers: Sequence[str]) -> list[dict[str, Any]]:
    """A row for every tier and way: medians over rounds of answers a second, the ratio to the single process, and the
    efficiency of two replicas."""
    found = []
    for tier in tiers:
        alone = _median(runs[SINGLE, tier, 1])
        for way in (PROXY, DOOR):
            one, two = _median(runs[way, tier, 1]), _median(runs[way, tier, 2])
            found.append(
                {
                    "tier": tier,
                    "way": way,
                    "single": alone,
                    "one": one,
                    "two": two,
                    "one_of_single": one / alone,
                    "efficiency": two / (2 * one),
                    "p50_ms": [_p50(runs[SINGLE, tier, 1]), _p50(runs[way, tier, 1]), _p50(runs[way, tier, 2])],
                    "failed": sum(one.failed for side in runs for each in runs[side] for one in each),
                }
            )
    return found


def _median(rounds: Sequence[Sequence[Found]]) -> float:
    return statistics.median(sum(one.per_second for one in each) for each in rounds)


def _p50(rounds: Sequence[Sequence[Found]]) -> float:
    return statistics.median(one.p50_ms for each in rounds for one in each)
