"""Long histories: encoding them whole against extending a cached encoding by the newest events.

Random weights, two sizes of encoder, histories as long as the limit, one core, batch 1. Extending counts everything
from the cached bytes on: decode, put, graph, append. Two forms of what is kept are compared: the states of
models.graphs.extend, and every layer's keys and values.

An encoding can be extended only while the history grows inside the window: positions count from the oldest item read,
so a window that slides by one leaves nothing to extend. The cure that is measured lets it slide by a quarter at a time.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loadtest.bench import machine
from loadtest.bench.histories_sides import Encoder
from loadtest.bench.histories_sizes import MODELS, SHAPES, Plan, name_of
from loadtest.bench.histories_table import show, show_verdict
from loadtest.bench.histories_times import measure
from loadtest.bench.output import Output
from loadtest.bench.venvs import ROOT, BenchError

WORTH, LONG = 2.0, 256  # the extension is kept if it wins so much from so many items on
EXPORT = "loadtest.bench.workers.histories_export"


def run_histories(
    plan: Plan | None = None, core: int | None = None, seed: int = 0, json_output: bool = False
) -> dict[str, Any]:
    """Every size and limit in turn, the ways of each in interleaved rounds; print the tables, return the result.

    Raises:
        BenchError: a plan that cannot be measured, no train extra, or a core that this process may not use.
    """
    plan = plan or Plan()
    _check(plan)
    out = Output(json_output)
    with tempfile.TemporaryDirectory(prefix="promise-bench-") as name, _pinned(core) as chosen:
        folder = Path(name)
        _export(plan, folder)
        result = machine.describe(machine.Cores((), ())) | {"cores": f"everything on core {chosen}"}
        result |= {"rounds": plan.rounds, "at_limit": plan.at_limit, "encoders": {}}
        out.header("Long histories: encoding them whole against extending what was kept", result)
        for shape in plan.shapes:
            for limit in plan.limits:
                encoder = Encoder(folder / name_of(shape, limit), SHAPES[shape])
                found = measure(encoder, limit, plan.new, plan.rounds, plan.at_limit, seed)
                result["encoders"][name_of(shape, limit)] = found
                show(f"{shape} ({SHAPES[shape]})", found, plan, out)
    result |= verdict(result["encoders"], plan)
    show_verdict(result, out)
    out.end(result)
    return result


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers from a comma-separated list. Raises BenchError where it is none."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BenchError(f"'{text}' is not a list of numbers such as 256,1024") from None


def verdict(encoders: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The smallest median ratio of extending states, against either way of encoding whole, at long limits."""
    ratios = [
        found[kind][f"states, {new} new"]["median"]
        for found in encoders.values()
        if found["limit"] >= LONG
        for kind in ("ratio", "ratio_of_steps")
        for new in plan.new
    ]
    return {"smallest_ratio": min(ratios, default=None), "worth_it": bool(ratios) and min(ratios) >= WORTH}


def _check(plan: Plan) -> None:
    if plan.rounds < 5 or not plan.new or min(plan.new) < 1:
        raise BenchError("the benchmark needs at least 5 rounds and 1 new event")
    if not plan.limits or min(plan.limits) <= max(plan.new) or not 0 <= plan.at_limit <= 1:
        raise BenchError("limits must be larger than the number of new events, and a share lies between 0 and 1")
    unknown = [shape for shape in plan.shapes if shape not in SHAPES]
    if unknown or not plan.shapes:
        raise BenchError(f"no encoder is called '{(*unknown, '')[0]}': {', '.join(SHAPES)} are known")


def _export(plan: Plan, folder: Path) -> None:
    recipes = {name_of(shape, limit): SHAPES[shape].recipe(limit) for shape in plan.shapes for limit in plan.limits}
    (folder / MODELS).write_text(json.dumps(recipes))
    command = [sys.executable, "-m", EXPORT, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the encoders could not be exported: {(done.stderr.splitlines() or ['?'])[-1]}")


@contextmanager
def _pinned(core: int | None) -> Iterator[int]:
    """This process on one core: `core`, or the last one it may use."""
    if not hasattr(os, "sched_getaffinity"):
        raise BenchError("the benchmark pins itself to one core, which needs Linux")
    before = os.sched_getaffinity(0)
    chosen = max(before) if core is None else core
    if chosen not in before:
        raise BenchError(f"core {chosen} is not among the cores this process may use: {sorted(before)}")
    os.sched_setaffinity(0, {chosen})
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)
