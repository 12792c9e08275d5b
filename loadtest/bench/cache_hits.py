"""How often an encoding is found, and where: returning users on one process, then on a second one that joins it."""

import re
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import closed_loop, machine
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.service import Service

CALLERS = 8
_SAMPLE = re.compile(r'promise_cache_requests_total\{(?=.*tier="(\w+)")(?=.*result="(\w+)")')


@dataclass(frozen=True)
class Traffic:
    """Zipf users, their visits to the first process and to the second one, and how many visits grow the history."""

    users: int = 5000
    visits: int = 8000
    second: int = 4000
    exponent: float = 1.0
    bought: float = 0.1
    cache_mb: int = 2
    tier: str = "floor"


def measure(bundle: Path, traffic: Traffic, folder: Path, cores: machine.Cores, seed: int = 0) -> dict[str, Any]:
    """Hit ratios per process and tier, and what Redis holds.

    Raises:
        BenchError: a service that does not start, or a request that was not answered.
    """
    visits = workload.visits(
        workload.read_items(bundle),
        traffic.users,
        traffic.visits + traffic.second,
        traffic.exponent,
        traffic.bought,
        seed,
    )
    bodies = [workload.recommend(visit.history, k=10, budget=traffic.tier) for visit in visits]
    first, later = bodies[: traffic.visits], bodies[traffic.visits :]
    base: dict[str, object] = {"bundle": bundle.resolve(), "cache_mb": traffic.cache_mb}
    with RedisServer() as redis, ExitStack() as stack:
        machine.pin(redis.pid, cores.driver)
        empty = int(redis.command("INFO", "memory").split(b"used_memory:")[1].split()[0])

        def visited(name: str, part: Sequence[bytes], **settings: object) -> dict[str, float]:
            service = stack.enter_context(Service(folder / f"{name}.log", cores.service, **base | settings))
            closed_loop.answered(closed_loop.run(service.url, part, CALLERS))
            return ratios(service.metrics(), len(part))

        hits = {"first process": visited("first", first, redis_url=redis.url)}
        stored = holdings(redis, empty)
        hits["second process, same Redis"] = visited("second", later, redis_url=redis.url)
        hits["second process, no Redis"] = visited("alone", later)
    people = len({visit.user for visit in visits[: traffic.visits]})
    return {"traffic": asdict(traffic), "hits": hits, "stored": stored | {"users": people}}


def ratios(metrics: Mapping[str, float], requests: int) -> dict[str, float]:
    """Shares of the requests: memory hits, Redis hits, neither."""
    counts: dict[tuple[str, str], float] = {}
    for name, value in metrics.items():
        if found := _SAMPLE.match(name):
            counts[found[1], found[2]] = counts.get((found[1], found[2]), 0.0) + value
    memory, redis = counts.get(("memory", "hit"), 0.0), counts.get(("redis", "hit"), 0.0)
    return {"memory": memory / requests, "redis": redis / requests, "miss": 1 - (memory + redis) / requests}


def holdings(redis: RedisServer, empty: int) -> dict[str, float]:
    """Encodings in Redis, bytes of one with its key (MEMORY USAGE: median, largest), and used_memory for each."""
    keys = redis.command("KEYS", "promise:h:*")
    sizes = [int(size) for size in redis.commands([("MEMORY", "USAGE", key) for key in keys])]
    used = int(redis.command("INFO", "memory").split(b"used_memory:")[1].split()[0])
    values = [int(size) for size in redis.commands([("STRLEN", key) for key in keys])]
    return {
        "encodings": len(keys),
        "value_bytes": statistics.median(values),
        "bytes": statistics.median(sizes),
        "mean_bytes": statistics.fmean(sizes),
        "largest_bytes": max(sizes),
        "used_memory_each": (used - empty) / len(keys),
    }
