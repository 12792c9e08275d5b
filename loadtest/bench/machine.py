"""Where a benchmark ran: processor, cores, versions; said in the header of every table."""

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("onnxruntime-gpu", "numpy", "fastapi", "uvicorn", "redis")


@dataclass(frozen=True)
class Cores:
    """Which cores the service and everything else (driver, redis-server, proxy) are pinned to; none: not pinned."""

    service: tuple[int, ...]
    driver: tuple[int, ...]

    def __str__(self) -> str:
        if not self.service:
            return "nothing pinned (one core, or no sched_setaffinity)"
        return f"service on core {_list(self.service)}, driver and redis-server on core {_list(self.driver)}"


def split_cores() -> Cores:
    """The last core for the service, the others for the driver; nothing where this process may use one core only."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return Cores((usable[-1],), tuple(usable[:-1])) if len(usable) > 1 else Cores((), ())


def pin(pid: int, cores: Sequence[int]) -> None:
    """Pin a process to these cores; its later threads and children inherit that. No cores: nothing happens."""
    if cores:
        os.sched_setaffinity(pid, cores)


@contextmanager
def pinned() -> Iterator[Cores]:
    """This process on the driver's cores while the context lasts."""
    cores = split_cores()
    pin(0, cores.driver)
    try:
        yield cores
    finally:
        pin(0, (*cores.driver, *cores.service))


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used so far, all threads; 0 where the system does not tell."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        return 0.0
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def describe(cores: Cores) -> dict[str, Any]:
    """The header of a result."""
    return {
        "cpu": cpu_model(),
        "device": "cpu",
        "threads": 1,
        "cores": str(cores),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "load_average_1m": round(os.getloadavg()[0], 2),
    }


def _list(cores: Sequence[int]) -> str:
    return ", ".join(map(str, cores))
