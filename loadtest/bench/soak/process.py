"""A process of this machine as /proc shows it: memory, handles, threads, processor time."""

import os
from pathlib import Path

ESTABLISHED = "01"
MB = 1e6


def memory_mb(pid: int) -> tuple[float, float, float]:
    """Resident memory, of it what no other process shares, of it what no file backs."""
    rollup = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"))
    unshared = rollup["Private_Clean"] + rollup["Private_Dirty"]
    rss, uss, heap = (round(1024 * value / MB, 3) for value in (rollup["Rss"], unshared, rollup["Anonymous"]))
    return rss, uss, heap


def handles(pid: int, port: int) -> tuple[int, int, int]:
    """Open handles: connections of callers to `port`, other sockets, and whatever is no socket."""
    links = [_link(entry) for entry in os.scandir(f"/proc/{pid}/fd")]
    known = _callers(port)
    callers, sockets = sum(link in known for link in links), sum(link.startswith("socket:") for link in links)
    return callers, sockets - callers, len(links) - sockets


def threads(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


def _callers(port: int) -> set[str]:
    """What /proc calls the established connections whose near end is `port`."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"socket:[{line[9]}]" for line in lines if line[3] == ESTABLISHED and line[1].endswith(f":{port:04X}")}


def _link(entry: "os.DirEntry[str]") -> str:
    try:
        return os.readlink(entry.path)
    except OSError:  # closed since the folder was read
        return ""


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines()[1:])
    return {line[0].rstrip(":"): int(line[1]) for line in lines}
