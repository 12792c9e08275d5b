"""Upgrades and losses under load on a cluster of two nodes: what failed after the caller's policy, how long it hurt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loadtest.bench import answers, closed_loop, reload
from loadtest.bench.output import Output
from loadtest.bench.ray import rows as ray_rows
from loadtest.bench.ray.cluster import RayCluster
from loadtest.bench.ray.rows import Event, Load
from loadtest.seconds import GOOD, Shot

BEFORE_S, AFTER_S, BETWEEN_S = 3.0, 12.0, 6.0
RULE = {"leaf": 1.0, "prefix": 0.25}
WAYS: Mapping[str, Callable[[RayCluster], list[str]]] = MappingProxyType(
    {"Ray's proxies": ray_rows.proxies, "own doors": ray_rows.doors}
)
NAMES = ("event", "way", "requests", "failed", "again", "wrong", "recovery s", "p99 before", "p99 during", "took s")
Known = Mapping[str, Sequence[answers.Answer]]


@dataclass(frozen=True)
class Stage:
    """Two replicas, a load, and the bundle in two versions whose answers are known: as served, and a copy."""

    cluster: RayCluster
    load: Load
    bodies: Sequence[bytes]
    folders: Mapping[str, Path]
    known: Known
    slot: str

    def serve(self, version: str) -> None:
        self.cluster.deploy(2, {self.slot: self.folders[version]})

    def whole(self) -> None:
        """Two nodes again, a replica on each; raises BenchError."""
        if not self.cluster.nodes[-1].alive:
            self.cluster.replace_last()
        self.serve(next(iter(self.folders)))


def run_events(
    cluster: RayCluster, bundle: Path, folder: Path, load: Load, rows: Sequence[str], out: Output
) -> list[dict[str, Any]]:
    """Every row through Ray's proxies and at the own doors, a line each; `folder`: room for a copy of the bundle.

    Raises:
        BenchError: a cluster that does not come back, or versions that cannot be told from their answers.
    """
    stage, found = _stage(cluster, bundle, folder, load), []
    for row in rows:
        for way, urls in WAYS.items():
            stage.whole()
            found.append({"event": row, "way": way} | _played(stage, urls(cluster), CHANGES[row](stage)))
    if found:
        out.table(NAMES, [_line(one) for one in found])
    return found


def _stage(cluster: RayCluster, bundle: Path, folder: Path, load: Load) -> Stage:
    bodies = ray_rows.bodies(bundle, load)
    other = folder / "next"
    first = _known(cluster, bodies)
    changed = reload.copy(bundle, other, RULE)
    cluster.deploy(2, {bundle.name: other})
    known = {_version(first): first, changed: _known(cluster, bodies)}
    return Stage(cluster, load, bodies, {_version(first): bundle, changed: other}, known, bundle.name)


def _known(cluster: RayCluster, bodies: Sequence[bytes]) -> list[answers.Answer]:
    shots = closed_loop.answered(closed_loop.run(cluster.nodes[0].door, bodies, 4))
    return [shot.answer for shot in shots]


def _version(found: Sequence[answers.Answer]) -> str:
    return str(found[0]["model"]["version"])


def upgrade(stage: Stage) -> list[Event]:
    """To the copy and back, by nothing but another user_config."""
    first, changed = stage.folders
    there = Event(BEFORE_S, partial(stage.serve, changed))
    return [there, Event(BEFORE_S + BETWEEN_S, partial(stage.serve, first))]


def lost_replica(stage: Stage) -> list[Event]:
    """kill -9 of the replica on the second node."""
    return [Event(BEFORE_S, partial(stage.cluster.kill_replica, 1))]


def lost_node(stage: Stage) -> list[Event]:
    """kill -9 of everything on the second node."""
    return [Event(BEFORE_S, partial(stage.cluster.kill_node, 1))]


CHANGES: Mapping[str, Callable[[Stage], list[Event]]] = MappingProxyType(
    {"upgrade": upgrade, "replica killed": lost_replica, "node killed": lost_node}
)


def _played(stage: Stage, urls: Sequence[str], events: Sequence[Event]) -> dict[str, Any]:
    seconds = events[-1].at + AFTER_S
    shots, again = ray_rows.under_load(urls, stage.bodies, stage.load.rate, seconds, events)
    wrong, refused = sum(_wrong(stage.known, shot) for shot in shots), [why for one in events for why in one.refused]
    found = ray_rows.summary(shots, again, BEFORE_S) | {"wrong": wrong, "refused": refused}
    found |= {"took_s": max(second for one in events for second in one.seconds)}
    return found | {"kept": not (found["failed"] or wrong or refused)}


def _wrong(known: Known, shot: Shot) -> bool:
    """Whether it is not the answer of the version that it names."""
    if shot.status != GOOD:
        return False
    version = str(shot.answer["model"]["version"])
    return version not in known or not answers.same(known[version][shot.number], shot.answer)


def _line(found: Mapping[str, Any]) -> list[object]:
    before, during = found["p99_ms"].values()
    keys = ("event", "way", "requests", "failed", "again", "wrong", "recovery_s")
    return [*(found[key] for key in keys), before, during, float(found["took_s"])]
