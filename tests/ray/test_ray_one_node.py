"""A real Ray cluster of one node: replicas that share a GPU, and replicas that come with load."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench import closed_loop
from loadtest.bench.ray import rows as ray_rows
from loadtest.bench.ray.cluster import RayCluster, answers, call
from loadtest.bench.ray.nodes import REPLICA, until
from loadtest.bench.ray.rows import Load

if TYPE_CHECKING:
    from tiny import Bundles

pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

PUSHED = {
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
}
HALF = {"cpus": 0.5, "gpus": 0.5}


@pytest.fixture(scope="module")
def cluster(bundles: "Bundles", tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """One node with a GPU in Ray's books alone, where figures for autoscaling come every second."""
    log = tmp_path_factory.mktemp("ray")
    with RayCluster(
        log, [()], 1, PUSHED, bundle=bundles.inner, max_concurrent=8, feedback_secret="of all replicas"
    ) as found:
        yield found


def test_two_replicas_share_a_gpu(cluster: RayCluster) -> None:
    assert cluster.resources()["GPU"] == 1
    cluster.deploy(2, scale=HALF)
    assert cluster.replicas() == {"RUNNING": 2}
    assert cluster.resources().get("GPU", 0) == 0
    assert len(cluster.nodes[0].pids(REPLICA)) == 2


def test_every_replica_of_a_node_has_figures_of_its_own(cluster: RayCluster) -> None:
    cluster.deploy(2, scale=HALF)
    first = cluster.nodes[0].door
    second = f"{first.rpartition(':')[0]}:{int(first.rpartition(':')[2]) + 1}"
    assert answers(first)
    assert answers(second)
    closed_loop.run(first, [b"GET /experiments HTTP/1.1\r\nHost: promise\r\n\r\n"] * 5)
    counted = [_requests(url) for url in (first, second)]
    assert counted[0] >= 5 > counted[1]


def test_a_folder_that_is_no_bundle_costs_no_replica(cluster: RayCluster, bundles: "Bundles", tmp_path: Path) -> None:
    cluster.deploy(1, scale=HALF)
    before = cluster.nodes[0].pids(REPLICA)
    cluster.deploy(1, {bundles.inner.name: tmp_path}, HALF)
    assert answers(cluster.nodes[0].proxy)
    assert cluster.nodes[0].pids(REPLICA) == before


def test_load_brings_a_replica_and_its_end_takes_it_away(cluster: RayCluster, bundles: "Bundles") -> None:
    scale = {**HALF, "max_replicas": 2, "up_s": 1, "down_s": 3, "window_s": 11}
    cluster.deploy(None, scale=scale)
    assert cluster.replicas() == {"RUNNING": 1}
    bodies = ray_rows.bodies(bundles.inner, Load(tier="k50", users=40))
    give_up = time.monotonic() + 240
    while cluster.replicas().get("RUNNING") != 2 and time.monotonic() < give_up:
        closed_loop.run(cluster.nodes[0].proxy, bodies * 5, callers=12)
    assert cluster.replicas() == {"RUNNING": 2}
    until(lambda: cluster.replicas() == {"RUNNING": 1}, "the second replica to be taken away", 120)
    assert answers(cluster.nodes[0].proxy)


def _requests(url: str) -> float:
    """Requests that this replica has answered, probes aside."""
    lines = call(url, "GET", "/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("promise_requests_total{"))
