"""A node of a local Ray cluster as a tree of processes of one's own: started, pinned, looked at, killed whole."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench import machine
from loadtest.bench.venvs import ROOT, BenchError
from service.settings import PREFIX, Settings

REPLICA, PROXY = "ServeReplica:", "ProxyActor"  # in the command lines of those processes, whatever they just do
BLOCKED = "will now block"  # what `ray start --block` says when all of it runs
START_S = 240.0
QUIET = (20_000, 30_000)
STORE_BYTES = 100_000_000  # of shared memory, which serving hardly uses
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # two nodes share this machine, maybe with others
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_health_check_timeout_ms": "60000",  # a killed node refuses at once; a slow one is no dead one
    "RAY_health_check_period_ms": "250",  # with Ray's own 3 s and 5 looks, calls of a dead node hang for 15 s
    "RAY_health_check_failure_threshold": "3",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Place:
    """Where a node goes. `head`: the address of the cluster's head; empty: this node is the head.

    `ray`: variables of Ray's own; `settings`: named as in service.settings.
    """

    folder: Path
    log: Path
    cores: tuple[int, ...] = ()
    head: str = ""
    gpus: int = 0
    ray: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


class RayNode:
    """`ray start --block` and all that it starts, on the cores of its place.

    `proxy`: where Ray's proxy of this node answers. `door`: where the first replica of this node answers by itself.
    """

    def __init__(self, place: Place) -> None:
        self.log = place.log
        self.address = place.head or f"127.0.0.1:{quiet_port()}"
        self.proxy_port, base = quiet_port(), quiet_port()
        self.proxy, self.door = f"http://127.0.0.1:{self.proxy_port}", f"http://127.0.0.1:{base + 1}"
        command = [*self._environment(place, base), *pinned(place.cores), *self._start(place)]
        with place.log.open("a") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def pids(self, title: str = "") -> list[int]:
        """Its processes with `title` in their command lines, oldest first."""
        return sorted(pid for pid in tree(self._process.pid) if title in said(pid))

    def cpu_s(self) -> float:
        """Processor seconds that its living processes have used."""
        return sum(_cpu_s(pid) for pid in self.pids())

    def started(self) -> bool:
        """Whether it has come up, once that is known; raises BenchError where it takes too long."""
        until(lambda: not self.alive or BLOCKED in self.log.read_text(), "a Ray node to start")
        return self.alive

    def signal(self, number: signal.Signals, title: str = "") -> list[int]:
        """Send a signal to all its processes, or to those with this title; to whom."""
        found = self.pids(title)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return found

    def kill(self) -> None:
        """kill -9 the whole node. Everybody is stopped first, so that nobody starts somebody meanwhile."""
        stopped: set[int] = set()
        while fresh := set(self.pids()) - stopped:
            for pid in fresh:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= fresh
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: not any(map(_lives, stopped)), "a killed Ray node to be gone")

    def _environment(self, place: Place, base: int) -> list[str]:
        """`env` sets and unsets the variables: only service.settings reads the environment, here too."""
        apart = {"RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(self.proxy_port)} if place.head else {}
        own = {**place.settings, "host": "127.0.0.1", "port": base}
        return environment({**RAY, **apart, **place.ray}, own)

    def _start(self, place: Place) -> list[str]:
        ports = ["--ray-client-server-port", str(quiet_port()), "--dashboard-port", str(quiet_port())]
        head = ["--head", "--port", self.address.rpartition(":")[2], "--temp-dir", str(place.folder), *ports]
        role = ["--address", place.head] if place.head else [*head, "--include-dashboard", "false"]
        sizes = ["--num-cpus", "1", "--num-gpus", str(place.gpus), "--object-store-memory", str(STORE_BYTES)]
        quiet = ["--block", "--disable-usage-stats", "--node-ip-address", "127.0.0.1", "--include-log-monitor", "false"]
        agent = ["--dashboard-agent-listen-port", str(quiet_port()), "--min-worker-port", "0", "--max-worker-port", "0"]
        return [sys.executable, "-m", "ray.scripts.scripts", "start", *role, *sizes, *quiet, *agent]


def environment(ray: Mapping[str, str], settings: Mapping[str, object]) -> list[str]:
    """The beginning of a command that runs with these variables, and no PROMISE_ variable but these."""
    unset = [part for name in Settings.model_fields for part in ("-u", f"{PREFIX}{name.upper()}")]
    named = [f"{PREFIX}{name.upper()}={value}" for name, value in settings.items()]
    return ["env", *unset, *named, *(f"{name}={value}" for name, value in ray.items())]


def pinned(cores: Sequence[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))] if cores else []


def until(done: Callable[[], bool], what: str, longest_s: float = START_S, pause_s: float = 0.1) -> None:
    """Raises BenchError: it was not so within that time."""
    give_up = time.monotonic() + longest_s
    while not done():
        if time.monotonic() > give_up:
            raise BenchError(f"waited {longest_s:g} s for {what}")
        time.sleep(pause_s)


def tree(root: int) -> set[int]:
    """The living processes from `root` down."""
    parents = {int(entry.name): _parent(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found, fresh = set[int](), {root}
    while fresh:
        found |= fresh
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
    return set(filter(_lives, found))


def said(pid: int) -> str:
    """The command line of a process; empty where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _stat(pid: int) -> list[str]:
    """State, parent and what follows; nothing where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _parent(pid: int) -> int:
    found = _stat(pid)
    return int(found[1]) if found else 0


def _lives(pid: int) -> bool:
    found = _stat(pid)
    return bool(found) and found[0] != "Z"


def _cpu_s(pid: int) -> float:
    with suppress(OSError):
        return machine.cpu_s(pid)
    return 0.0


def quiet_port() -> int:
    """A port that is free, and so is the one above it; not of those that the system gives to whoever asks for any.

    Ray's processes ask for many, and this one has to stay free until they run.
    """
    while True:
        port = random.randrange(*QUIET)  # noqa: S311 - no secret
        with suppress(OSError), _taken(port), _taken(port + 1):
            return port


def _taken(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))
