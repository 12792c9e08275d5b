"""Locust from end to end: a service and a Redis of its own (or somebody's host), report, gates, the A/B report.

Everything lands in one folder: report.html, requests_*.csv, verdict.json, result.json, the logs, the experiments file.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop

from loadtest.bench import machine
from loadtest.bench.locust_table import show
from loadtest.bench.output import Output, progress
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.service import Service
from loadtest.bench.venvs import ROOT, BenchError
from loadtest.client import Client, ClientError

ENDING_S = 60.0  # for users to leave and reports to be written
OUT = Path("runs/loadtest")
EXPERIMENTS = """experiments:
  - name: search  # what the PRM is worth to made users, whose clicks follow co-occurrence and category
    buckets:
      - {name: guided, weight: 0.5, lowest: k10}
      - {name: plain, weight: 0.5, tier: floor}
"""


@dataclass(frozen=True)
class Plan:
    """Users of the plateau, how fast they come, seconds in all, the shape; `gates`: options for the locustfile."""

    users: int = 12
    spawn_rate: float = 4.0
    seconds: int = 60
    shape: str = "waves"
    crowd: int = 5000
    gates: tuple[str, ...] = ()
    seed: int = 0


def run_locust(
    bundle: Path, plan: Plan, host: str = "", out: Path | None = None, json_output: bool = False
) -> dict[str, Any]:
    """Drive `host`, or a service of its own on `bundle` beside a redis-server; `verdict.exit_code` says how it went.

    Raises:
        BenchError: no locust, no redis-server, nobody at `host`, or a run without a verdict.
    """
    if find_spec("locust") is None:
        raise BenchError('locust is not installed; pip install -e ".[loadtest]" brings it, and so does make test')
    if plan.users < 1 or plan.seconds < 1 or plan.spawn_rate <= 0:
        raise BenchError("a load test needs a user, a second and a positive spawn rate")
    folder = _folder(out)
    output = Output(json_output)
    elsewhere = nullcontext(machine.Cores((), ()))  # nothing is pinned where the service is not on this machine
    with elsewhere if host else machine.pinned() as cores, ExitStack() as stack:
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan), "folder": str(folder)}
        service = None if host else stack.enter_context(_service(folder, bundle, cores))
        url = service.url if service else host.rstrip("/")
        names = [one["name"] for one in _get(url, "/experiments")["experiments"]]
        result |= {"url": url, "experiments": names}
        output.say(f"{plan.users} users for {plan.seconds} s ({plan.shape}) on {url}; everything goes to {folder}")
        result |= _drive(url, bundle, plan, folder, service)
        result["reports"] = [_get(url, f"/experiments/{name}/report") for name in names]
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    show(result, output)
    output.end(result)
    return result


def _folder(out: Path | None) -> Path:
    folder = out or OUT / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{folder} cannot be made: {error.strerror}") from None
    return folder


@contextmanager
def _service(folder: Path, bundle: Path, cores: machine.Cores) -> Iterator[Service]:
    experiments = folder / "experiments.yaml"
    experiments.write_text(EXPERIMENTS)
    with RedisServer() as redis:
        own = {"bundle": bundle.resolve(), "redis_url": redis.url, "experiments": experiments.resolve()}
        with Service(folder / "service.log", cores.service, **own) as service:
            yield service


def _drive(url: str, bundle: Path, plan: Plan, folder: Path, service: Service | None) -> dict[str, Any]:
    """Locust as a child process: it patches threads and sockets of whoever imports it."""
    with (folder / "locust.log").open("w") as log:
        began, used = time.perf_counter(), service.cpu_s() if service else 0.0
        process = subprocess.Popen(_command(url, bundle, plan, folder), cwd=ROOT, stdout=log, stderr=log)
        try:
            driver = _wait(process, plan.seconds)
        except BaseException:
            process.kill()
            process.wait()
            raise
    wall = time.perf_counter() - began
    busy = {"driver_busy": driver / wall, "service_busy": (service.cpu_s() - used) / wall if service else None}
    verdict = folder / "verdict.json"
    if not verdict.exists():
        lines = [line for line in (folder / "locust.log").read_text().splitlines() if line.strip()]
        raise BenchError(f"locust gave no verdict: {lines[-1] if lines else 'it said nothing'}")
    return {"verdict": json.loads(verdict.read_text())} | busy


def _command(url: str, bundle: Path, plan: Plan, folder: Path) -> list[str]:
    options = {
        "--users": plan.users,
        "--spawn-rate": plan.spawn_rate,
        "--run-time": f"{plan.seconds}s",
        "--host": url,
        "--shape": plan.shape,
        "--crowd": plan.crowd,
        "--seed": plan.seed,
        "--bundle": bundle.resolve(),
        "--html": folder.resolve() / "report.html",
        "--csv": folder.resolve() / "requests",
        "--verdict": folder.resolve() / "verdict.json",
    }
    named = [str(part) for pair in options.items() for part in pair]
    return [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", *named, *plan.gates]


def _wait(process: "subprocess.Popen[bytes]", seconds: int) -> float:
    """Processor seconds of the driver, when it is done."""
    began, used = time.monotonic(), 0.0
    with progress("users", seconds) as advance:
        while process.poll() is None:
            passed = time.monotonic() - began
            if passed > seconds + ENDING_S:
                raise BenchError(f"locust did not end within {ENDING_S:g} s of its time")
            advance(passed)
            used = max(used, _used(process.pid))
            time.sleep(0.1)
    return used


def _used(pid: int) -> float:
    try:
        return machine.cpu_s(pid)
    except OSError:  # a thread, or all of it, ended meanwhile
        return 0.0


def _get(url: str, path: str) -> dict[str, Any]:
    async def asked() -> dict[str, Any]:
        client = Client(url)
        try:
            reply = await client.call("GET", path)
        finally:
            client.close()
        if reply.status != 200:
            raise BenchError(f"{url}{path} answers {reply.status}")
        return dict(reply.json())

    try:
        return uvloop.run(asked())
    except (ClientError, ValueError) as error:
        raise BenchError(f"{url}{path}: {error}") from None
