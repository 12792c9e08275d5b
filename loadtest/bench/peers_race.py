"""The workers of the peer benchmark, started once and asked in turns: A B A B, one at a time, on one core."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.bench import venvs, workload
from loadtest.bench.peers_sides import ENVIRONMENTS, OURS, PROJECT, Peer
from loadtest.bench.process import Worker
from loadtest.bench.venvs import BenchError
from loadtest.bench.workload import World

WORKERS = "loadtest.bench.workers"
VARIABLES = ("OMP_NUM_THREADS=1", "HF_HUB_OFFLINE=1", "TRANSFORMERS_VERBOSITY=error")
AVX512 = {"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"}

Ready = Mapping[str, Mapping[str, Any]]  # what every worker said of itself
Times = Mapping[str, Sequence[Sequence[int]]]  # nanoseconds [round][request] of every worker
Commands = Mapping[str, Sequence[str]]


OWN_CORE = 0.95  # below this share of the core a turn is asked again: somebody else was running on it
TRIES = 8


@dataclass(frozen=True)
class Raced:
    """What every worker said of itself, its times, and a sentence for each that could not start.

    `shares`: per side, the smallest share of the core that it had in a turn that counts. `repeated`: turns that do not.
    """

    ready: Ready
    times: Times
    missing: Mapping[str, str]
    shares: Mapping[str, float]
    repeated: int


def commands(
    sides: Sequence[Peer], cache: Path, fresh: bool, index_url: str
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The command of every side, its environment built where it needs one; and why the others have none."""
    pythons, broken = {PROJECT: [sys.executable]}, {}
    for name in dict.fromkeys(side.environment for side in sides if side.environment != PROJECT):
        try:
            python = venvs.ensure(name, ENVIRONMENTS[name], cache=cache, fresh=fresh, index_url=index_url)
        except BenchError as error:
            broken[name] = str(error)
        else:
            pythons[name] = [str(python), "-E", "-s"]  # what the caller's shell says is not for it
    built = {side.name: _command(side, pythons[side.environment]) for side in sides if side.environment in pythons}
    return built, {side.name: broken[side.environment] for side in sides if side.environment in broken}


def _command(side: Peer, python: Sequence[str]) -> list[str]:
    return ["env", *variables(), *python, "-m", f"{WORKERS}.{side.worker}", *side.arguments]


def variables(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """What every worker's environment says besides ours.

    CTranslate2 takes AVX2 by itself where AVX-512 is there; told to take it, its int8 needs a sixth less time.
    """
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return (*VARIABLES, "CT2_FORCE_CPU_ISA=AVX512") if flags >= AVX512 else VARIABLES


def free_core(wanted: int | None = None) -> int:
    """The core to pin to: `wanted`, or the last one this process may use. Raises BenchError when it may not."""
    if not hasattr(os, "sched_getaffinity"):
        raise BenchError("the peer benchmark pins its workers to one core, which needs Linux")
    cores = os.sched_getaffinity(0)
    if wanted is not None and wanted not in cores:
        raise BenchError(f"core {wanted} is not among the cores this process may use: {sorted(cores)}")
    return max(cores) if wanted is None else wanted


def measure(commands: Commands, world: World, rounds: int, requests: int, warmup: int, core: int) -> Raced:
    """Start one worker per command with FOLDER CORE appended and race them.

    Raises:
        BenchError: ours did not start, or a worker is not pinned as asked, stopped, or returned an invalid list.
    """
    with tempfile.TemporaryDirectory(prefix="promise-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        workload.save(world, folder)
        workers: list[Worker] = []
        missing: dict[str, str] = {}
        for side, command in commands.items():
            try:
                workers.append(stack.enter_context(Worker(side, [*command, name, str(core)], folder / f"{side}.log")))
            except BenchError as error:
                if side == OURS.name:
                    raise
                missing[side] = str(error)
        for worker in workers:
            _check_pinned(worker, core)
        times, shares, repeated = race(workers, rounds, requests, warmup)
        return Raced({one.name: one.ready for one in workers}, times, missing, shares, repeated)


def _check_pinned(worker: Worker, core: int) -> None:
    if worker.ready.get("affinity") != [core] or worker.ready.get("threads") != 1:
        raise BenchError(f"the {worker.name} worker must run one thread on core {core}, but says {worker.ready}")


def race(
    workers: Sequence[Worker], rounds: int, requests: int, warmup: int
) -> tuple[dict[str, list[list[int]]], dict[str, float], int]:
    """Nanoseconds [round][request] of every worker, all on the same requests, one worker at a time.

    A turn in which a worker shared its core is asked again, a few times at most, whatever its times were.
    """
    for worker in workers:
        worker.ask(0, range(warmup))
    times: dict[str, list[list[int]]] = {worker.name: [] for worker in workers}
    shares, repeated = {worker.name: 1.0 for worker in workers}, 0
    for number in range(1, rounds + 1):
        first = warmup + (number - 1) * requests
        for worker in workers:
            for attempt in range(TRIES):
                turn = worker.ask(number, range(first, first + requests))
                if worker.share >= OWN_CORE or attempt == TRIES - 1:
                    break
                repeated += 1
            times[worker.name].append(turn)
            shares[worker.name] = min(shares[worker.name], worker.share)
    return times, shares, repeated
