"""What a cluster of two nodes is asked under load: the same answers, users who stay, an upgrade, a node that dies."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from loadtest import open_loop, workload
from loadtest.bench import closed_loop
from loadtest.bench.ray.client import SESSION, Patient
from loadtest.bench.ray.cluster import RayCluster
from loadtest.bench.venvs import BenchError
from loadtest.seconds import GOOD, Shot, percentiles_ms

LONGEST_S = 10.0  # that a caller waits for a reply
VARIES = ("request_id", "feedback_token", "timings_ms")
Urls = Sequence[str]


def proxies(cluster: RayCluster) -> list[str]:
    return [node.proxy for node in cluster.nodes]


def doors(cluster: RayCluster) -> list[str]:
    return [node.door for node in cluster.nodes]


@dataclass(frozen=True)
class Load:
    """Requests a second and tier of what runs beside an event; users with a history each."""

    rate: float = 40.0
    tier: str = "k20"
    users: int = 200


def bodies(bundle: Path, load: Load, seed: int = 0) -> list[bytes]:
    """A request for every user, who is named in the session header."""
    known = workload.distinct(workload.read_items(bundle), load.users, seed)
    return [workload.recommend(one, {SESSION: f"u{n}"}, k=10, budget=load.tier) for n, one in enumerate(known)]


def answers(urls: Mapping[str, str], requests: Sequence[bytes]) -> dict[str, int]:
    """By name, how many bodies differ from those of the first address, apart from ids, tokens and times.

    Every address is asked for everything in the same order by one caller.
    """
    found = {name: [_plain(shot) for shot in _asked(url, requests)] for name, url in urls.items()}
    first, *others = found
    return {name: sum(a != b for a, b in zip(found[first], found[name], strict=True)) for name in others}


def _asked(url: str, requests: Sequence[bytes]) -> list[Shot]:
    """By one caller, who asks again where a busy machine was refused."""

    async def all_of_them() -> list[Shot]:
        client, shots = Patient([url], LONGEST_S), [Shot(number, 0.0) for number in range(len(requests))]
        try:
            for shot in shots:
                await open_loop.fire(client, requests[shot.number], shot, 0.0)
        finally:
            client.close()
        return shots

    return closed_loop.answered(uvloop.run(all_of_them()))


def _plain(shot: Shot) -> dict[str, Any]:
    """`cache` says who was asked before, which is another question."""
    return {name: value for name, value in shot.answer.items() if name not in (*VARIES, "cache")}


def warm_share(url: str, bundle: Path, users: int, visits: int, stay: bool, seed: int) -> float:
    """Share of returning visits whose encoding was still in the process that answered; new users for every seed."""
    come = workload.visits(workload.read_items(bundle), users, visits, seed=seed)
    requests = [
        workload.recommend(one.history, {SESSION: f"{seed}-{one.user}"} if stay else None, k=10, budget="k10")
        for one in come
    ]
    seen, back = set[tuple[str, ...]](), list[bool]()
    for one, shot in zip(come, _asked(url, requests), strict=True):
        if one.history in seen:
            back.append(shot.answer["cache"] == "hit")
        seen.add(one.history)
    return sum(back) / max(1, len(back))


@dataclass
class Event:
    """What is done at `at` seconds of a run, and how long it took; an error ends up in `refused`."""

    at: float
    act: Callable[[], object]
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        begun = time.monotonic()
        try:
            self.act()
        except BenchError as error:
            self.refused.append(str(error))
        self.seconds.append(time.monotonic() - begun)


def under_load(
    urls: Urls, requests: Sequence[bytes], rate: float, seconds: float, events: Sequence[Event]
) -> tuple[list[Shot], int]:
    """Open loop with the policy of `ray_client` while things happen: shots numbered as their bodies, and repeats."""
    times = open_loop.arrivals([open_loop.Step(rate, seconds)])

    async def driven() -> tuple[list[Shot], int]:
        client = Patient(urls, LONGEST_S)
        try:
            await client.open(4)
            beside = [(event.at, event.run) for event in events]
            shots = await open_loop.drive(client, lambda n: requests[n % len(requests)], times, beside=beside)
            return shots, client.again
        finally:
            client.close()

    with open_loop.quiet():
        shots, again = uvloop.run(driven())
    for shot in shots:
        shot.number %= len(requests)
    return shots, again


def summary(shots: Sequence[Shot], again: int, at: float) -> dict[str, Any]:
    """Requests, failures after the policy, requests sent anew; when the last slow or failed one came after `at`."""
    failed = [shot for shot in shots if shot.status != GOOD]
    before = [shot for shot in shots if shot.intended < at]
    usual_s = 3 * (percentiles_ms(before)[2] or 0.0) / 1000
    late = [shot.intended - at for shot in shots if shot.intended >= at - 1 and _hurt(shot, usual_s)]
    return {
        "requests": len(shots),
        "failed": len(failed),
        "why": sorted({shot.error or str(shot.status) for shot in failed}),
        "again": again,
        "recovery_s": round(max(late, default=0.0), 2),
        "p99_ms": {"before": percentiles_ms(before)[2], "during": percentiles_ms(list(shots))[2]},
    }


def _hurt(shot: Shot, usual_s: float) -> bool:
    return shot.status != GOOD or shot.latency_s > max(0.5, usual_s)
