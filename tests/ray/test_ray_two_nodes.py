"""A real Ray cluster of two nodes on this machine: the same answers, users who stay, upgrades and losses under load."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench import reload
from loadtest.bench.ray import rows as ray_rows
from loadtest.bench.ray.cluster import RayCluster, answers
from loadtest.bench.ray.nodes import REPLICA, until
from loadtest.bench.ray.rows import Event, Load
from loadtest.bench.service import Service
from loadtest.seconds import GOOD, Shot

if TYPE_CHECKING:
    from tiny import Bundles

pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

LOAD = Load(rate=15, tier="k10", users=60)
SECRET = "a secret of all replicas"
SLOT, NEXT = "current", "next"
Ways = Callable[[RayCluster], list[str]]
WAYS: tuple[Ways, ...] = (ray_rows.proxies, ray_rows.doors)


@pytest.fixture(scope="module")
def folders(bundles: "Bundles", tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundle in two versions, side by side."""
    beside = tmp_path_factory.mktemp("bundles")
    rules = ({"leaf": 0.0, "prefix": 1.0}, {"leaf": 1.0, "prefix": 0.25})
    for name, rule in zip((SLOT, NEXT), rules, strict=True):
        reload.copy(bundles.inner, beside / name, rule)
    return {name: beside / name for name in (SLOT, NEXT)}


@pytest.fixture(scope="module")
def cluster(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    log = tmp_path_factory.mktemp("ray")
    usable = sorted(os.sched_getaffinity(0))
    with RayCluster(log, [(usable[0],), (usable[-1],)], bundle=folders[SLOT], feedback_secret=SECRET) as found:
        found.deploy(2)
        yield found


def test_every_node_has_a_replica_on_its_own_core(cluster: RayCluster) -> None:
    assert [len(node.pids(REPLICA)) for node in cluster.nodes] == [1, 1]
    assert cluster.replicas() == {"RUNNING": 2}
    assert all(answers(url) for url in (*ray_rows.proxies(cluster), *ray_rows.doors(cluster)))


def test_the_answers_are_those_of_the_single_process(
    cluster: RayCluster, folders: dict[str, Path], tmp_path: Path
) -> None:
    urls = [*ray_rows.proxies(cluster), *ray_rows.doors(cluster)]
    with Service(tmp_path / "single.log", bundle=folders[SLOT]) as single:
        named = {"single": single.url, **{url: url for url in urls}}
        assert ray_rows.answers(named, ray_rows.bodies(folders[SLOT], LOAD)) == dict.fromkeys(urls, 0)


def test_a_session_keeps_its_replica_and_its_encodings(cluster: RayCluster, folders: dict[str, Path]) -> None:
    url = cluster.nodes[1].proxy
    stay, roam = (ray_rows.warm_share(url, folders[SLOT], 60, 150, kept, seed=int(kept)) for kept in (True, False))
    assert roam < stay > 0.9  # a replica that is slow to say how busy it is passes a user on


@pytest.mark.parametrize("ways", WAYS, ids=("proxies", "doors"))
def test_an_upgrade_under_load_fails_nobody_and_restarts_nobody(
    cluster: RayCluster, folders: dict[str, Path], ways: Ways
) -> None:
    before = [node.pids(REPLICA) for node in cluster.nodes]
    there, back = (Event(at, partial(cluster.deploy, 2, {SLOT: folders[name]})) for at, name in ((1, NEXT), (12, SLOT)))
    shots = loaded(cluster, folders, ways, [there, back], 24)
    assert {shot.answer["model"]["version"] for shot in shots} == {"1-current", "1-next"}
    assert (there.refused, back.refused) == ([], [])
    assert [node.pids(REPLICA) for node in cluster.nodes] == before


@pytest.mark.parametrize("ways", WAYS, ids=("proxies", "doors"))
def test_a_killed_replica_fails_nobody_and_is_replaced(
    cluster: RayCluster, folders: dict[str, Path], ways: Ways
) -> None:
    killed = cluster.nodes[1].pids(REPLICA)
    loaded(cluster, folders, ways, [Event(1, partial(cluster.kill_replica, 1))])
    until(lambda: cluster.replicas() == {"RUNNING": 2} and answers(cluster.nodes[1].door), "the replica to be replaced")
    assert cluster.nodes[1].pids(REPLICA) not in ([], killed)


@pytest.mark.parametrize("ways", WAYS, ids=("proxies", "doors"))
def test_a_killed_node_fails_nobody_and_another_takes_its_place(
    cluster: RayCluster, folders: dict[str, Path], ways: Ways
) -> None:
    loaded(cluster, folders, ways, [Event(1, partial(cluster.kill_node, 1))])
    assert cluster.nodes[1].pids() == []
    cluster.replace_last()
    cluster.deploy(2, {SLOT: folders[SLOT]})
    assert cluster.nodes[1].pids(REPLICA)


def loaded(
    cluster: RayCluster, folders: dict[str, Path], ways: Ways, events: Sequence[Event], seconds: float = 12.0
) -> list[Shot]:
    """What the events did to a load: nobody may have failed after the caller's policy."""
    bodies = ray_rows.bodies(folders[SLOT], LOAD)
    shots, _ = ray_rows.under_load(ways(cluster), bodies, LOAD.rate, seconds, events)
    assert [shot.error or shot.status for shot in shots if shot.status != GOOD] == []
    return shots
