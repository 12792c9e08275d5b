"""One engine under the clock: every tier, with and without the PRM, alone and in batches, round by round."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.engine_plain import without_prm
from service.engine.graphs import OnnxEngine
from service.search import guided
from service.search.legality import banned
from service.search.plan import Plan

I32 = NDArray[np.int32]
STAGES = ("encode", "context", "expand", "prune")
RETURNED = 10


@dataclass(frozen=True)
class Case:
    """What one measurement runs: widths, with the PRM or as a plain beam of the same K', and requests in a call."""

    width: int
    k_plus: int
    use_prm: bool
    batch: int

    def plan(self, depth: int) -> Plan:
        return Plan.uniform(depth, self.width, self.k_plus if self.use_prm else self.width, use_prm=self.use_prm)


@dataclass(frozen=True)
class Timed:
    """Milliseconds a request, per round: the whole and its stages; what no stage has is Python's."""

    whole: list[float]
    stages: dict[str, list[float]]


def time_cases(
    engine: OnnxEngine, histories: Sequence[I32], cases: Sequence[Case], rounds: int, calls: int
) -> dict[Case, Timed]:
    """In each of `rounds` every case makes `calls` calls, fewer where they are long; medians of a round's calls."""
    sides = {True: engine, False: without_prm(engine)}
    found = {case: Timed([], {stage: [] for stage in STAGES}) for case in cases}
    for case in cases:
        _round(sides[case.use_prm], histories, case, 3)
    for _ in range(rounds):
        for case in cases:
            count = max(5, calls * 50 // (case.width * case.batch)) if case.width > 50 else max(5, calls // case.batch)
            times = _round(sides[case.use_prm], histories, case, count)
            found[case].whole.append(statistics.median(one["whole"] for one in times) / case.batch)
            for stage in STAGES:
                found[case].stages[stage].append(statistics.median(one[stage] for one in times) / case.batch)
    return found


def _round(engine: OnnxEngine, histories: Sequence[I32], case: Case, count: int) -> list[dict[str, float]]:
    plan = case.plan(engine.depth)
    batches = (
        [histories[(at * case.batch + row) % len(histories)] for row in range(case.batch)] for at in range(count)
    )
    return [_call(engine, batch, plan) for batch in batches]


def _call(engine: OnnxEngine, histories: Sequence[I32], plan: Plan) -> dict[str, float]:
    """One cold call from item rows to leaves: milliseconds of each stage and of the whole."""
    clock = time.perf_counter
    start = clock()
    rows, lengths = np.stack(histories), np.array([len(history) for history in histories], np.int32)
    memory = engine.encode(engine.bundle.catalogue.sids[rows - 1], rows, lengths)
    encoded = clock()
    context = engine.context(memory, lengths, [banned(engine.trie, history) for history in histories])
    engine.open(context)
    opened = clock()
    found = guided.search(engine, context, plan, RETURNED)
    whole = clock() - start
    expand, prune = (sum(getattr(step, part) for step in found.steps) for part in ("expand_s", "prune_s"))
    parts = {"encode": encoded - start, "context": opened - encoded, "expand": expand, "prune": prune, "whole": whole}
    return {name: seconds * 1e3 for name, seconds in parts.items()}


def matrix_peak(seconds: float = 0.6) -> float:
    """FLOP/s of one 1,024 × 1,024 × 1,024 float32 product in onnxruntime, the best of the calls in `seconds`."""
    size = 1024
    run = _product(size)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best


def _product(size: int) -> Callable[[], Any]:
    """A product by a constant, packed once as weights are."""
    import onnxruntime as ort

    from models.graphs.builder import F32, Builder

    rng, b = np.random.default_rng(0), Builder()
    b.output("y", b("MatMul", b.input("x", F32, size, size), b.constant(rng.normal(size=(size, size)))), F32, 2)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(b.model("peak").SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds: Mapping[str, Any] = {"x": rng.normal(size=(size, size)).astype(np.float32)}
    return lambda: session.run(None, feeds)
