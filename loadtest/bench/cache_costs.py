"""What one look-up costs and saves: the same request recomputed, found in memory, found in Redis, missed in Redis.

Three services of one bundle on one core take turns request by request: without a cache, with memory alone, with Redis
alone. Differences are taken per history, so that what the search costs drops out; the tier is the cheapest one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from loadtest import workload
from loadtest.bench import machine
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.client import Client
from loadtest.open_loop import clock, fire
from loadtest.seconds import GOOD, Shot

TIER = "floor"
WAYS = {"recomputed": "off", "memory hit": "hit", "Redis hit": "hit", "Redis miss": "miss"}  # what `cache` then says
Latencies = dict[str, list[float]]


@dataclass
class Side:
    """One service and the processor time it spent in each way."""

    service: Service
    client: Client
    cpu_s: dict[str, float] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)


def measure(
    bundle: Path, lengths: Sequence[int], each: int, folder: Path, cores: machine.Cores, seed: int = 0
) -> dict[str, Any]:
    """Milliseconds a request in every way, `each` histories of every length; medians, and medians of differences.

    Raises:
        BenchError: a service that does not start, or an answer whose cache field is not what it should be.
    """
    items = workload.read_items(bundle)
    settings: dict[str, dict[str, object]] = {"none": {}, "memory": {"cache_mb": 256}, "redis": {}}
    with RedisServer() as redis, ExitStack() as stack:
        machine.pin(redis.pid, cores.driver)
        settings["redis"] = {"redis_url": redis.url}
        services = {
            name: stack.enter_context(
                Service(folder / f"{name}.log", cores.service, **{"bundle": bundle.resolve(), "cache_mb": 0} | own)
            )
            for name, own in settings.items()
        }
        found = {
            length: uvloop.run(_length(services, workload.distinct(items, each + 5, seed + length, length)))
            for length in lengths
        }
        stored = redis.command("DBSIZE")
    if stored < len(lengths) * each:
        raise BenchError(f"only {stored} encodings are in Redis")
    return {"lengths": {length: summary(*part) for length, part in found.items()}}


async def _length(
    services: Mapping[str, Service], histories: Sequence[workload.History]
) -> tuple[Latencies, dict[str, float]]:
    """Latencies in seconds per way, and processor seconds a request; the first five histories warm up."""
    sides = {name: Side(service, Client(service.url)) for name, service in services.items()}
    bodies = [workload.recommend(history, k=10, budget=TIER) for history in histories]
    found: Latencies = {way: [] for way in WAYS}
    try:
        # Half of the recomputed ones run beside the first visits, half beside the second ones.
        visits = {"none": "recomputed", "redis": "Redis miss", "memory": "fill"}
        await _pass(sides, bodies, visits, found)
        await asyncio.sleep(0.5)  # background writes
        await _pass(sides, bodies, {"redis": "Redis hit", "none": "recomputed", "memory": "memory hit"}, found)
    finally:
        for side in sides.values():
            side.client.close()
    spent = {way: side.cpu_s[way] / side.requests[way] for side in sides.values() for way in side.cpu_s if way in WAYS}
    return found, spent


async def _pass(
    sides: Mapping[str, Side], bodies: Sequence[bytes], visits: Mapping[str, str], found: Latencies
) -> None:
    """Every body to every side in turn; `visits`: what that way is called."""
    before = dict[str, float]()
    for number, body in enumerate(bodies):
        if number == 5:
            before = {name: sides[name].service.cpu_s() for name in visits}
        for name, way in visits.items():
            latency = await _timed(sides[name].client, body, way)
            if number >= 5 and way in found:
                found[way].append(latency)
    for name, way in visits.items():
        side = sides[name]
        side.cpu_s[way] = side.cpu_s.get(way, 0.0) + side.service.cpu_s() - before[name]
        side.requests[way] = side.requests.get(way, 0) + len(bodies) - 5


async def _timed(client: Client, body: bytes, way: str) -> float:
    shot = Shot(0, 0.0)
    await fire(client, body, shot, clock())
    wanted = WAYS.get(way, "miss")
    if shot.status != GOOD or shot.answer["cache"] != wanted:
        raise BenchError(f"a {way} request got status {shot.status} and cache {shot.answer.get('cache')}")
    return shot.ended - shot.sent


def summary(found: Latencies, cpu_s: Mapping[str, float]) -> dict[str, Any]:
    """Medians in ms; `saved`: recomputed less this way, per history (the median), positive where the way is quicker."""
    cold = np.array(found["recomputed"]).reshape(2, -1)
    first, second = cold
    beside = {"memory hit": second, "Redis hit": second, "Redis miss": first}
    saved = {way: 1000 * float(np.median(base - np.array(found[way]))) for way, base in beside.items()}
    ms = {way: 1000 * float(np.median(times)) for way, times in found.items()}
    cpu = {way: 1000 * cpu_s[way] for way in WAYS}
    return {"ms": ms, "cpu_ms": cpu, "saved_ms": saved, "saved_cpu_ms": _saved(cpu)} | break_even(saved, cpu)


def _saved(cpu: Mapping[str, float]) -> dict[str, float]:
    return {way: cpu["recomputed"] - cpu[way] for way in WAYS if way != "recomputed"}


def break_even(saved: Mapping[str, float], cpu: Mapping[str, float]) -> dict[str, float | None]:
    """The share of look-ups that must be hits for Redis to pay, in time and in processor time; None: it never does."""
    return {
        "break_even_hit_ratio": hit_ratio(saved["Redis hit"], -saved["Redis miss"]),
        "break_even_hit_ratio_cpu": hit_ratio(_saved(cpu)["Redis hit"], -_saved(cpu)["Redis miss"]),
    }


def hit_ratio(saved: float, lost: float) -> float | None:
    """h with h · saved = (1 - h) · lost."""
    if saved <= 0:
        return None
    return max(0.0, lost) / (max(0.0, lost) + saved)
