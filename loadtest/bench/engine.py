"""`promise bench engine`: how near the search comes to the machine's arithmetic, and what the PRM and batches cost.

One core, one thread, cold encode included. Cases take turns round by round; every figure is a ratio within a round,
its median over rounds with the smallest and largest: time over the least time (the minimum FLOP of engine_work at the
measured rate of a large matrix product in the same run), guided over plain at the same K', a batch of 8 over 8 singles.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.bench import heavy, workload
from loadtest.bench.engine_run import STAGES, Case, Timed, matrix_peak, time_cases
from loadtest.bench.engine_work import Work, minimum
from loadtest.bench.machine import Cores, describe
from loadtest.bench.output import Output, spread
from loadtest.bench.peers_race import free_core
from loadtest.bench.venvs import BenchError
from service.engine import bundle as bundles
from service.engine.bundle import Bundle
from service.engine.graphs import OnnxEngine

I32 = NDArray[np.int32]
WIDTHS = (10, 50, 200, 1000)
BATCHES = (1, 8)
WIDENING = 4  # K+ = 4 K'


def run_engine(
    bundle: Path | None,
    size: str = "tiger",
    history: int = 20,
    rounds: int = 5,
    calls: int = 40,
    widths: Sequence[int] = WIDTHS,
    prm: str = "inner",
    profile: bool = False,
    seed: int = 0,
    json_output: bool = False,
    core: int | None = None,
) -> dict[str, Any]:
    """Measure one bundle: a folder, or without one random weights of `size` (tiger or large).

    Raises:
        BenchError: too few rounds, no such size, or no core to pin to.
    """
    if rounds < 5 or calls < 1 or history < 1:
        raise BenchError("the benchmark needs at least 5 rounds, 1 call a round and 1 item of history")
    out, cpu = Output(json_output), free_core(core)
    with tempfile.TemporaryDirectory(prefix="promise-engine-") as name, _alone(cpu):
        opened = bundles.load(bundle or _random_bundle(Path(name), size, history, prm, seed))
        result = _measured(opened, history, rounds, calls, widths, seed)
        if profile:
            result["profile_us"] = _profiles(opened, _histories(opened, history, seed), widths)
    out.header(f"promise bench engine: {opened.manifest.tag}, {history} items", describe(Cores((cpu,), ())))
    _print(out, result)
    out.end(result)
    return result


@contextmanager
def _alone(core: int) -> Iterator[None]:
    """This process, and what it starts, on one core while the context lasts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _random_bundle(folder: Path, size: str, history: int, prm: str, seed: int) -> Path:
    if size not in workload.SHAPES:
        raise BenchError(f"there is no size '{size}'; there are {', '.join(workload.SHAPES)}")
    sizes = workload.Sizes(history=history, seed=seed, **workload.SHAPES[size])
    return heavy.export(workload.build(sizes, 1), folder, prm)


def _histories(bundle: Bundle, length: int, seed: int, count: int = 128) -> list[I32]:
    rng, items = np.random.default_rng(seed), bundle.manifest.items
    return [(rng.permutation(items)[:length] + 1).astype(np.int32) for _ in range(count)]


def _measured(
    bundle: Bundle, history: int, rounds: int, calls: int, widths: Sequence[int], seed: int
) -> dict[str, Any]:
    engine = OnnxEngine(bundle, "cpu", 1)
    cases = [Case(w, WIDENING * w, use_prm, batch) for w in widths for batch in BATCHES for use_prm in (True, False)]
    before = matrix_peak()
    times = time_cases(engine, _histories(bundle, history, seed), cases, rounds, calls)
    peak = max(before, matrix_peak())
    prefixes = np.diff(bundle.trie.level_start)[1:].tolist()
    rows = [_row(bundle, case, times[case], peak, history, prefixes) for case in cases]
    ratios = {f"k{w}": _ratios(times, w) for w in widths}
    return {"peak_gflops": peak / 1e9, "rows": rows, "ratios": ratios, "rounds": rounds, "history": history}


def _row(
    bundle: Bundle, case: Case, timed: Timed, peak: float, history: int, prefixes: Sequence[int]
) -> dict[str, Any]:
    manifest = bundle.manifest
    work: Work = minimum(manifest.dims, manifest.codebook, history, prefixes, case.plan(manifest.depth))
    least_ms = work.total(case.use_prm) / peak * 1e3
    return {
        "k_keep": case.width,
        "k_plus": case.k_plus if case.use_prm else case.width,
        "prm": case.use_prm,
        "batch": case.batch,
        "ms": spread(timed.whole),
        "stages_ms": {stage: spread(timed.stages[stage])["median"] for stage in STAGES},
        "mflop": work.total(case.use_prm) / 1e6,
        "over_minimum": spread([ms / least_ms for ms in timed.whole]),
    }


def _ratios(times: Mapping[Case, Timed], width: int) -> dict[str, Any]:
    """Within rounds: guided over plain, and a request in a batch over one alone."""

    def of(use_prm: bool, batch: int) -> list[float]:
        return times[Case(width, WIDENING * width, use_prm, batch)].whole

    def over(one: Sequence[float], other: Sequence[float]) -> dict[str, float]:
        return spread([a / b for a, b in zip(one, other, strict=True)])

    return {
        "guided_over_plain": over(of(True, 1), of(False, 1)),
        f"batch_{BATCHES[-1]}_over_single": over(of(True, BATCHES[-1]), of(True, 1)),
    }


def _profiles(bundle: Bundle, histories: Sequence[I32], widths: Sequence[int]) -> dict[str, dict[str, float]]:
    from loadtest.bench.engine_profile import operators

    depth = bundle.manifest.depth
    return {f"k{w}": operators(bundle, histories, Case(w, WIDENING * w, True, 1).plan(depth)) for w in widths}


def _print(out: Output, result: Mapping[str, Any]) -> None:
    out.say(f"a large matrix product: {result['peak_gflops']:.0f} GFLOP/s; milliseconds a request, medians of rounds")
    names = ("K'/K+", "PRM", "batch", "ms", *STAGES, "MFLOP", "× minimum")
    rows = [
        (
            f"{row['k_keep']}/{row['k_plus']}",
            "yes" if row["prm"] else "no",
            row["batch"],
            row["ms"]["median"],
            *(row["stages_ms"][stage] for stage in STAGES),
            row["mflop"],
            row["over_minimum"]["median"],
        )
        for row in result["rows"]
    ]
    out.table(names, rows)
    for tier, ratios in result["ratios"].items():
        said = (
            f"{name.replace('_', ' ')} {r['median']:.3f} ({r['min']:.3f} … {r['max']:.3f})"
            for name, r in ratios.items()
        )
        out.say(f"{tier}: " + "; ".join(said))
    for tier, spent in result.get("profile_us", {}).items():
        whole = sum(spent.values())
        out.say(
            f"{tier}, µs in operators: " + ", ".join(f"{op} {us:.0f}" for op, us in spent.items() if us > whole / 100)
        )
