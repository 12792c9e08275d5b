"""What a soak looks at every few seconds: the service's process from outside, its own figures, its Redis."""

import asyncio
import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from loadtest.bench.machine import cpu_s
from loadtest.bench.redis_server import RedisError, RedisServer
from loadtest.bench.soak.process import handles, memory_mb, threads
from loadtest.client import Client, ClientError, request
from loadtest.open_loop import clock

MB = 1e6
LIVE, METRICS = request("GET", "/health/live"), request("GET", "/metrics")


@dataclass(frozen=True)
class Sample:
    """One look, `at_s` seconds after the first.

    Memory in MB: resident, of it unshared, of it on the heap. Open handles: connections of `callers`, other `sockets`
    (Redis, the listener), `files` and what else there is. `live_ms`: how long GET /health/live took, which waits for
    nothing but the event loop. `series`: lines of /metrics. `calls`, `failed`: since the start. Nones: nobody told at
    that moment.
    """

    at_s: float
    rss_mb: float
    uss_mb: float
    heap_mb: float
    files: int
    sockets: int
    callers: int
    threads: int
    cpu_s: float
    live_ms: float | None
    queue_depth: float | None
    in_flight: float | None
    cache_mb: float | None
    cache_entries: float | None
    series: int | None
    redis_mb: float | None
    redis_clients: int | None
    calls: int
    failed: int


class Sampler:
    """Looks at the process `pid`, which serves `port`, through a client of its own."""

    def __init__(self, pid: int, port: int, client: Client, redis: RedisServer) -> None:
        self._pid, self._port, self._client, self._redis = pid, port, client, redis
        self._begin = clock()

    async def look(self, calls: int = 0, failed: int = 0) -> Sample:
        live_ms, said = await self._timed(LIVE), figures(await self._told(METRICS))
        redis = await asyncio.to_thread(self._of_redis)
        rss, uss, heap = await asyncio.to_thread(memory_mb, self._pid)
        callers, sockets, files = await asyncio.to_thread(handles, self._pid, self._port)
        cached = said.get("promise_cache_bytes")
        return Sample(
            at_s=round(clock() - self._begin, 2),
            rss_mb=rss,
            uss_mb=uss,
            heap_mb=heap,
            files=files,
            sockets=sockets,
            callers=callers,
            threads=threads(self._pid),
            cpu_s=round(cpu_s(self._pid), 2),
            live_ms=live_ms,
            queue_depth=said.get("promise_queue_depth"),
            in_flight=said.get("promise_requests_in_flight"),
            cache_mb=None if cached is None else cached / MB,
            cache_entries=said.get("promise_cache_entries"),
            series=len(said) or None,
            redis_mb=None if redis is None else int(redis["used_memory"]) / MB,
            redis_clients=None if redis is None else int(redis["connected_clients"]),
            calls=calls,
            failed=failed,
        )

    async def _told(self, payload: bytes) -> str:
        try:
            return (await self._client.send(payload)).body.decode()
        except ClientError:
            return ""

    async def _timed(self, payload: bytes) -> float | None:
        began = clock()
        return round(1000 * (clock() - began), 2) if await self._told(payload) else None

    def _of_redis(self) -> dict[str, str] | None:
        try:
            lines = self._redis.command("INFO").decode().splitlines()
        except (RedisError, AssertionError):
            return None
        return dict(line.split(":", 1) for line in lines if ":" in line)


def figures(exposition: str) -> dict[str, float]:
    """`name{labels}` as /metrics writes it → value."""
    pairs = (line.rpartition(" ") for line in exposition.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


class Book:
    """The samples, and a line each in `samples.csv` of a folder as soon as it is known."""

    def __init__(self, folder: Path) -> None:
        self.samples: list[Sample] = []
        self._path = folder / "samples.csv"
        with self._path.open("w", newline="") as file:
            csv.writer(file).writerow([field.name for field in fields(Sample)])

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(asdict(sample).values())
