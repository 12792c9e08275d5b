"""The engine on a GPU: latency, requests a second, time on the device, and whether it finds what the CPU finds.

Two models, the shipped one and one of TIGER's size with random weights; a narrow and a wide tier; single requests and
batches. A call is a whole batch from history to items, nothing cached. All cases take turns, round by round.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from loadtest.bench import gpu_device, heavy, machine
from loadtest.bench.gpu_cases import TOLERANCE, Case, agreement
from loadtest.bench.gpu_device import Gpu, NoDeviceError
from loadtest.bench.gpu_search import I32, Searches, Tier, made_histories
from loadtest.bench.gpu_table import show
from loadtest.bench.machine import Cores
from loadtest.bench.output import Output
from loadtest.bench.venvs import CACHE, ROOT, BenchError
from loadtest.bench.workload import Sizes
from service.engine.bundle import Bundle, load
from service.engine.graphs import OnnxEngine
from service.engine.sessions import Chosen, DeviceError

TIERS = (Tier("k50", 50, 200), Tier("k1000", 1000, 4000))
GRAPHS = ROOT / "models" / "graphs"
RATE, P99_MS = 2000.0, 15.0  # the targets


@dataclass(frozen=True)
class Work:
    """Rounds of so many calls for every case, a time to watch the device, and lists to compare per tier."""

    rounds: int = 5
    calls: int = 60
    busy_s: float = 4.0
    compared: int = 200
    batches: tuple[int, ...] = (1, 8, 32)
    tiers: tuple[Tier, ...] = TIERS


def run_gpu(
    bundle: Path,
    work: Work | None = None,
    tiger: Path | None = None,
    seed: int = 0,
    json_output: bool = False,
    device: Chosen = "cuda",
) -> dict[str, Any]:
    """Measure `bundle` and a bundle of TIGER's size (exported first where none is given) on this device.

    Raises:
        NoDeviceError: there is no CUDA device, or no session can be made on it.
        BenchError: too little work to measure, or the bundle of TIGER's size cannot be made.
        BundleError: a bundle is damaged.
        WorkloadError: a bundle has no catalogue.
    """
    work = work or Work()
    if min(work.rounds, work.calls, work.compared, *work.batches) < 1:
        raise BenchError("the benchmark needs a round, a call in it, and a list to compare")
    if device == "cuda":
        gpu_device.require_cuda()
    gpu = gpu_device.find_gpu() if device == "cuda" else None
    out, result = Output(json_output), describe(device, gpu)
    paths = {"shipped": bundle, "tiger": tiger or tiger_bundle()}
    result["models"] = {name: measure(path, name, work, seed, device, gpu) for name, path in paths.items()}
    result["targets"] = targets(result["models"])
    show(result, out)
    out.end(result)
    return result


def tiger_bundle() -> Path:
    """Made once for every state of the sources that write graphs."""
    sources = sorted(GRAPHS.rglob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return heavy.ensure(Sizes(), CACHE / f"graphs-{digest[:12]}")


def measure(path: Path, name: str, work: Work, seed: int, device: Chosen, gpu: Gpu | None) -> dict[str, Any]:
    """One model: agreement with the CPU, which also warms up, then every case in turns."""
    bundle = load(path)
    length = bundle.manifest.dims.history if name == "tiger" else None
    histories = made_histories(path, bundle, work.compared, seed, length)
    there = opened(bundle, device, histories, work)
    here = Searches(OnnxEngine(bundle, "cpu"), histories)
    found: dict[str, Any] = {"bundle": bundle.manifest.tag, "providers": list(there.engine.providers)}
    found["graphs_not_on_cuda"] = gpu_device.on_the_cpu(bundle) if device == "cuda" else None
    found["agreement"] = {tier.name: agreement(here, there, tier, max(work.batches)) for tier in work.tiers}
    cases = [Case(there, tier, batch) for tier in work.tiers for batch in work.batches]
    for case in cases:
        case.run(3)
    for _ in range(work.rounds):
        for case in cases:
            case.rounds.append(case.run(work.calls))
    return found | {"cases": [case.figures(case.watch(gpu, work.busy_s)) for case in cases]}


def opened(bundle: Bundle, device: Chosen, histories: Sequence[I32], work: Work) -> Searches:
    """The engine under test, after a first search: some libraries are looked for only when a graph runs."""
    try:
        searches = Searches(OnnxEngine(bundle, device), histories)
        searches.ask(searches.batch(0, 1), work.tiers[0].plan(bundle))
    except DeviceError as error:
        raise NoDeviceError(error.detail) from error
    except RuntimeError as error:  # what onnxruntime raises from a run
        reason = str(error).rpartition(" : ")[2].strip()
        raise NoDeviceError(f"a graph opens and cannot run ({reason}).") from error
    return searches


def targets(models: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised beside what was measured, for every model that has the case."""
    lines: list[dict[str, Any]] = []
    for name, model in models.items():
        narrow = [case["per_second"]["median"] for case in model["cases"] if case["tier"] == "k50"]
        wide = [case["p99_ms"] for case in model["cases"] if (case["tier"], case["batch"]) == ("k1000", 1)]
        if narrow:
            lines.append(_line(name, "requests/s at 50/200, best batch", RATE, max(narrow), max(narrow) >= RATE))
        if wide:
            lines.append(_line(name, "p99 ms at 1000/4000, batch 1", P99_MS, wide[0], wide[0] < P99_MS))
    return lines


def _line(model: str, what: str, target: float, measured: float, met: bool) -> dict[str, Any]:
    return {"model": model, "what": what, "target": target, "measured": measured, "met": met}


def describe(device: Chosen, gpu: Gpu | None) -> dict[str, Any]:
    """The header: machine, device, driver, versions."""
    found = machine.describe(Cores((), ()))
    toolkit: str = getattr(ort.capi.build_and_package_info, "cuda_version", "")
    name = gpu.name if gpu else "unknown" if device == "cuda" else found["cpu"]
    about = {"kind": device, "device": name, "driver": gpu.driver if gpu else None, "cuda": toolkit}
    return found | about | {"cores": "nothing pinned", "tolerance": TOLERANCE}
