"""Open-loop load: requests start when a schedule says so, whether or not earlier ones were answered.

    python -m loadtest.open_loop --url http://127.0.0.1:8000 --steps 50x10,200x10,50x10 --deadline-ms 250

Every time is taken from the intended start, so that a stall is charged to all the requests it delayed. An arrival that
finds the cap of requests in flight is skipped, and counted. Exit code 1: a request failed other than by being shed.
"""

import argparse
import asyncio
import gc
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from loadtest import workload
from loadtest.client import Client, ClientError, Reply
from loadtest.seconds import Shot, per_second, table, total

Beside = tuple[float, Callable[[], None]]
clock = time.perf_counter  # the event loop's own counts whole milliseconds


@dataclass(frozen=True)
class Step:
    """`rate` requests a second for `seconds`."""

    rate: float
    seconds: float


def steps(text: str) -> tuple[Step, ...]:
    """ "50x10,200x5": 50 a second for 10 seconds, then 200 a second for 5.

    Raises:
        ValueError: anything else.
    """
    found = tuple(Step(*map(float, part.split("x", 1))) for part in text.split(","))
    if not all(math.isfinite(step.rate * step.seconds) and step.rate > 0 < step.seconds for step in found):
        raise ValueError("rates and seconds must be positive")
    return found


def arrivals(schedule: Sequence[Step], poisson: bool = True, seed: int = 0) -> list[float]:
    """Intended starts in seconds, ascending: a Poisson process of the scheduled rate, or evenly spaced."""
    rng, times, begin = np.random.default_rng(seed), list[float](), 0.0
    for step in schedule:
        count = round(step.rate * step.seconds)
        drawn = np.sort(rng.uniform(0, step.seconds, rng.poisson(count))) if poisson else np.arange(count) / step.rate
        times += (begin + drawn).tolist()
        begin += step.seconds
    return times


async def drive(
    client: Client,
    requests: Callable[[int], bytes],
    times: Sequence[float],
    in_flight: int = 2000,
    beside: Sequence[Beside] = (),
) -> list[Shot]:
    """Send request n at `times[n]` seconds from now and await all replies; one shot per arrival, in their order.

    `beside`: what else happens at that many seconds, each in a thread; an exception there ends the run.
    """
    loop, shots = asyncio.get_running_loop(), [Shot(n, at) for n, at in enumerate(times)]
    start, running = clock(), set[asyncio.Task[None]]()
    acts = [loop.create_task(_act(start + at, act)) for at, act in beside]
    for shot in shots:
        payload = requests(shot.number)
        while (early := start + shot.intended - clock()) > 0:  # a sleep may end half a millisecond early
            await asyncio.sleep(early)
        if len(running) >= in_flight:
            continue
        task = loop.create_task(fire(client, payload, shot, start))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(0)  # a late driver lets replies in between two requests
    await asyncio.gather(*running, *acts)
    return shots


async def _act(when: float, act: Callable[[], None]) -> None:
    await asyncio.sleep(when - clock())
    await asyncio.to_thread(act)


async def fire(client: Client, payload: bytes, shot: Shot, start: float) -> None:
    """Send one request and write down when and what came back; `start` is a time of `clock`."""
    shot.sent = clock() - start
    try:
        shot.reply = await client.send(payload)
    except ClientError as error:
        shot.error = str(error)
    shot.ended = clock() - start


def run(
    url: str,
    requests: Callable[[int], bytes],
    times: Sequence[float],
    in_flight: int = 2000,
    timeout_s: float = 30.0,
    beside: Sequence[Beside] = (),
    connections: int = 0,
) -> list[Shot]:
    """`drive` on an event loop of its own, with this many connections opened before; raises ClientError there."""

    async def driven() -> list[Shot]:
        client = Client(url, timeout_s)
        try:
            await client.open(connections)
            return await drive(client, requests, times, in_flight, beside)
        finally:
            client.close()

    with quiet():
        return uvloop.run(driven())


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection: with thousands of kept replies it would stop the driver for tens of milliseconds."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        items = workload.read_items(options.bundle)
        times = arrivals(options.steps, options.arrivals == "poisson", options.seed)
        visits = workload.visits(items, options.users, len(times), options.zipf, options.bought, options.seed)
        headers = {"X-Request-Timeout-Ms": f"{options.deadline_ms:g}"} if options.deadline_ms else None
        requests = [
            workload.recommend(visit.history, headers, k=options.k, budget=options.budget, user_id=f"u{visit.user}")
            for visit in visits
        ]
        uvloop.run(_reachable(options.url))
        shots = run(options.url, requests.__getitem__, times, options.in_flight, connections=options.connections)
    except (workload.WorkloadError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    deadline_s = options.deadline_ms / 1000 if options.deadline_ms else None
    seconds, whole = per_second(shots, deadline_s), total(shots, deadline_s)
    (sys.stderr if options.as_json else sys.stdout).write(table([*seconds, whole]))
    if options.as_json:
        sys.stdout.write(json.dumps({"seconds": [one.plain() for one in seconds], "total": whole.plain()}) + "\n")
    return 1 if whole.failed else 0


async def _reachable(url: str) -> Reply:
    client = Client(url, timeout_s=5)
    try:
        return await client.call("GET", "/health/ready")
    finally:
        client.close()


def _steps(text: str) -> tuple[Step, ...]:
    try:
        return steps(text)
    except (ValueError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a schedule such as 50x10,200x5") from None


def _positive(kind: type) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value: float = kind(text)
        except ValueError:
            value = 0
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
        return value

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.open_loop", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--steps", type=_steps, default="50x10", help="requests a second x seconds, comma-separated")
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/bundles/beauty"), help="its catalogue makes the users"
    )
    parser.add_argument("--users", type=_positive(int), default=1000)
    parser.add_argument("--zipf", type=_positive(float), default=1.0, help="exponent: how unequal returning users are")
    parser.add_argument("--bought", type=float, default=0.05, help="share of visits that make the history grow")
    parser.add_argument("--k", type=_positive(int), default=10)
    parser.add_argument("--budget", default="auto", help="auto or a tier")
    parser.add_argument("--deadline-ms", type=_positive(float), help="sent as X-Request-Timeout-Ms")
    parser.add_argument("--in-flight", type=_positive(int), default=2000, help="arrivals beyond this many are skipped")
    parser.add_argument("--connections", type=int, default=64, help="opened beforehand, as a proxy's pool would be")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
