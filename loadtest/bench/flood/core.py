"""How much of the service's core other processes had: on a shared machine goodput is nothing without it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.service import Service

IDLE = slice(3, 5)  # of a line of /proc/stat: idle, waiting for a disk


@dataclass
class Had:
    """`others`: share of the core, 0 to 1, that was neither idle nor the service's; 0 where nothing is known."""

    others: float = 0.0


@contextmanager
def watched(service: Service, cores: Sequence[int]) -> Iterator[Had]:
    """Filled in when the context ends."""
    had, began, spent, busy = Had(), time.perf_counter(), service.cpu_s(), _busy_s(cores)
    yield had
    if cores:
        wall = (time.perf_counter() - began) * len(cores)
        taken = _busy_s(cores) - busy - (service.cpu_s() - spent)
        had.others = min(0.99, max(0.0, taken / wall))


def _busy_s(cores: Sequence[int]) -> float:
    stat = Path("/proc/stat")
    lines = stat.read_text().splitlines() if stat.exists() else []
    names = {f"cpu{core}" for core in cores}
    parts = [list(map(int, line.split()[1:9])) for line in lines if line.split()[0] in names]
    return sum(sum(part) - sum(part[IDLE]) for part in parts) / os.sysconf("SC_CLK_TCK")
