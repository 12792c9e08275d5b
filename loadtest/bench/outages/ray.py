"""Outages of a Ray cluster: the service on two nodes, asked through the proxy of each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.bench import machine
from loadtest.bench.outages.policy import PATIENT
from loadtest.bench.outages.service import Supervisor
from loadtest.bench.outages.stage import KEPT, SECRET, TOKEN, Stage
from loadtest.bench.ray.cluster import RayCluster, answers, call
from loadtest.bench.redis_server import RedisServer
from loadtest.client import Reply


@dataclass(frozen=True)
class Proxy:
    """One node's way in, which leads to all replicas."""

    url: str

    @property
    def alive(self) -> bool:
        return answers(self.url)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        return call(self.url, method, path, body, headers)


@contextmanager
def ray_staged(bundle: Path, folder: Path, cores: machine.Cores, base: Mapping[str, object]) -> Iterator[Stage]:
    """A node on each side's cores, a replica on each node, one Redis.

    Raises:
        BenchError: Redis or the cluster does not start.
    """
    folder.mkdir(parents=True)
    with RedisServer(options=dict(KEPT)) as redis:
        settings = {**base, "redis_url": redis.url, "admin_token": TOKEN, "feedback_secret": SECRET, "bundle": bundle}
        with RayCluster(folder / "ray", [cores.driver, cores.service], **settings) as cluster:  # type: ignore[arg-type]  # settings by name
            cluster.deploy()
            doors = [Proxy(node.proxy) for node in cluster.nodes]
            stage = Stage(folder, bundle, [], Supervisor([]), redis, doors=doors, reads=PATIENT)
            stage.kept["cluster"] = cluster
            yield stage


def kill_replica(stage: Stage) -> None:
    killed = stage.kept["cluster"].kill_replica(1)
    stage.expect(bool(killed), "there was no replica to kill")


def kill_node(stage: Stage) -> None:
    stage.kept["cluster"].kill_node(1)
