"""What every worker of the peer benchmark does alike: pin itself, say what it is, answer the driver's lines.

It needs numpy and, of this project, only `loadtest.bench.workload`, so it runs in a peer's own environment too.
A worker ends its arguments with FOLDER CORE. FOLDER holds world.json and world.npz; the process is pinned to CORE. It
prints a ready line, then answers every line {"round": n, "requests": [indices]} with {"round": n, "ns": [nanoseconds],
"cpu_ns": nanoseconds, "error": ""}; the error says what is wrong with a returned list, and where the processor time is
less than the sum of the others, somebody else had the core.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from loadtest.bench import workload
from loadtest.bench.workload import I32, World

Search = Callable[[int], list[int]]  # index of a request → what it returns, best first
Check = Callable[[int, Sequence[int]], str]  # index and answer → empty, or what is wrong with the answer


@dataclass(frozen=True)
class Side:
    """A worker ready to be asked. `parameters`: counts by part, "tables" being rows of items and prefixes."""

    search: Search
    check: Check
    packages: tuple[str, ...]
    threads: int
    parameters: Mapping[str, int]
    note: str = ""


def run(open_side: Callable[[World, Path], Side], folder: Path, core: int) -> None:
    """Pin, open, say what is pinned, serve until the driver closes its end."""
    os.sched_setaffinity(0, {core})
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not write into the protocol
    side = open_side(workload.load(folder), folder)
    print(json.dumps(ready(side)), file=out, flush=True)
    serve(side.search, side.check, sys.stdin, out)


def make(module: str, *arguments: str) -> None:
    """Run another module of the workers to its end, in a process of its own.

    Raises:
        RuntimeError: it failed; the sentence is its last line.
    """
    command = [sys.executable, "-m", f"loadtest.bench.workers.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")


def ready(side: Side) -> dict[str, object]:
    """The first line: versions, threads, the cores this process may use, parameter counts."""
    return {
        "ready": True,
        "versions": {name: version(name) for name in side.packages},
        "threads": side.threads,
        "affinity": sorted(os.sched_getaffinity(0)),
        "parameters": dict(side.parameters),
        "note": side.note,
    }


def serve(search: Search, check: Check, lines: Iterable[str], out: TextIO) -> None:
    """Answer the driver's lines until its end closes; the validity check is outside the timed part."""
    for line in lines:
        message, nanoseconds, processor, wrong = json.loads(line), [], 0, ""
        for request in message["requests"]:
            spent, start = time.process_time_ns(), time.perf_counter_ns()
            found = search(request)
            nanoseconds.append(time.perf_counter_ns() - start)
            processor += time.process_time_ns() - spent
            wrong = wrong or check(request, found)
        answer = {"round": message["round"], "ns": nanoseconds, "cpu_ns": processor, "error": wrong}
        print(json.dumps(answer), file=out, flush=True)


def distinct(found: Sequence[int], returned: int) -> str:
    """Empty when the list holds `returned` distinct items of the catalogue (0 is none), else what is wrong with it."""
    if 0 in found:
        return "a returned sequence is no item of the catalogue"
    if len(found) != returned or len(set(found)) != returned:
        return f"{len(set(found))} distinct items instead of {returned}"
    return ""


def items_only(returned: int) -> Check:
    """`returned` distinct items of the catalogue, those of the history among them or not."""
    return lambda _, found: distinct(found, returned)


def new_items(returned: int, histories: I32) -> Check:
    """`returned` distinct items of the catalogue, none of them in the request's history."""

    def check(request: int, found: Sequence[int]) -> str:
        seen = set(found) & set(histories[request].tolist())
        return distinct(found, returned) or ("an item of the history was returned" if seen else "")

    return check
