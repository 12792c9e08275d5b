"""The peer benchmark: our guided search against other people's serving stacks, one core, batch 1, cold encode.

All sides get the same sizes, catalogue and histories. Workers live in environments of their own and take turns,
round by round (A B A B), so that a busy or throttled machine slows both; the figure is the ratio within a round.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from loadtest.bench import venvs, workload
from loadtest.bench.machine import cpu_model
from loadtest.bench.process import Worker
from loadtest.bench.table import print_table
from loadtest.bench.venvs import BenchError
from loadtest.bench.workload import Sizes, World

WORKERS = "loadtest.bench.workers"


@dataclass(frozen=True)
class Peer:
    """One side: a worker module and its first arguments, and what its environment pins (nothing = this project's)."""

    name: str
    title: str
    worker: str
    arguments: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    differs: str = ""


OURS = Peer(
    "ours",
    "Promise guided search, ONNX Runtime",
    "ours",
    differs="one token per history item; no self-attention over the SID's codes: a beam is one query row; "
    "the history's items are excluded; a process reward model prunes every level",
)
PEERS = (
    Peer(
        "hf",
        "Hugging Face T5 generate with a prefix function",
        "hf_t5",
        requirements=(
            "torch==2.13.0",
            "transformers==5.23.0",
            "tokenizers==0.23.3",
            "huggingface-hub==2.4.0",
            "safetensors==0.8.0",
            "numpy==2.4.6",
        ),
        differs="one token per code of every history item; key/value cache; no reward model",
    ),
)

Ready = Mapping[str, Mapping[str, Any]]  # what every worker said of itself
Times = Mapping[str, Sequence[Sequence[int]]]  # nanoseconds [round][request] of every worker


def run_peers(
    rounds: int = 7,
    requests: int = 20,
    beam: int = 50,
    k_plus: int = 200,
    codes: int = 3,
    json_output: bool = False,
    fresh: bool = False,
    warmup: int = 5,
    core: int | None = None,
    index_url: str = "",
    prm: str = "inner",
    peers: Sequence[Peer] = PEERS,
    cache: Path = venvs.CACHE,
) -> dict[str, Any]:
    """Run `rounds` interleaved rounds of `requests` requests on one core, print the table, return the result.

    `ratios` holds, for every peer, the median over rounds of (its median time / ours), `spread` the smallest and
    largest of those; with `json_output` standard output holds the result as JSON and nothing else. `index_url` is one
    more package index for the peers' environments, such as that of torch's CPU builds. `prm` is the form of our
    process reward model: inner or cross.

    Raises:
        BenchError: too few rounds, no environment, a worker that failed, or one that is not pinned as asked.
    """
    world = _world(Sizes(codes=codes, beam=beam, k_plus=k_plus, returned=min(10, beam)), rounds, requests, warmup)
    core = free_core(core)
    sides = (replace(OURS, title=f"{OURS.title}, {prm} PRM", arguments=(prm,)), *peers)
    commands = {side.name: _command(side, cache, fresh, index_url) for side in sides}
    ready, times = measure(commands, world, rounds, requests, warmup, core)
    result = describe(world.sizes, ready, core, requests, warmup, sides) | summarise(times)
    print_table(result, sys.stderr if json_output else sys.stdout)
    if json_output:
        print(json.dumps(result))
    return result


def _world(sizes: Sizes, rounds: int, requests: int, warmup: int) -> World:
    if rounds < 5 or requests < 1 or warmup < 1:
        raise BenchError("the benchmark needs at least 5 rounds, 1 request a round and 1 warm-up request")
    try:
        return workload.build(sizes, warmup + rounds * requests)
    except ValueError as error:
        raise BenchError(str(error)) from None


def _command(side: Peer, cache: Path, fresh: bool, index_url: str) -> list[str]:
    """Ours imports the project, so it runs as a module of it; a peer runs isolated from it."""
    if not side.requirements:
        return [sys.executable, "-m", f"{WORKERS}.{side.worker}", *side.arguments]
    python = venvs.ensure(side.name, side.requirements, cache=cache, fresh=fresh, index_url=index_url)
    return [str(python), "-I", str(Path(__file__).parent / "workers" / f"{side.worker}.py"), *side.arguments]


def free_core(wanted: int | None = None) -> int:
    """The core to pin to: `wanted`, or the last one this process may use. Raises BenchError when it may not."""
    if not hasattr(os, "sched_getaffinity"):
        raise BenchError("the peer benchmark pins its workers to one core, which needs Linux")
    cores = os.sched_getaffinity(0)
    if wanted is not None and wanted not in cores:
        raise BenchError(f"core {wanted} is not among the cores this process may use: {sorted(cores)}")
    return max(cores) if wanted is None else wanted


def _check_pinned(worker: Worker, core: int) -> None:
    if worker.ready.get("affinity") != [core] or worker.ready.get("threads") != 1:
        raise BenchError(f"the {worker.name} worker must run one thread on core {core}, but says {worker.ready}")


def measure(
    commands: Mapping[str, Sequence[str]], world: World, rounds: int, requests: int, warmup: int, core: int
) -> tuple[Ready, Times]:
    """Start one worker per command with FOLDER CORE appended, race them: what each said of itself, and its times."""
    with tempfile.TemporaryDirectory(prefix="promise-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        workload.save(world, folder)
        workers = [
            stack.enter_context(Worker(side, [*command, name, str(core)], folder / f"{side}.log"))
            for side, command in commands.items()
        ]
        for worker in workers:
            _check_pinned(worker, core)
        return {worker.name: worker.ready for worker in workers}, race(workers, rounds, requests, warmup)


def race(workers: Sequence[Worker], rounds: int, requests: int, warmup: int) -> dict[str, list[list[int]]]:
    """Nanoseconds [round][request] of every worker, all on the same requests, one worker at a time."""
    for worker in workers:
        worker.ask(0, range(warmup))
    times: dict[str, list[list[int]]] = {worker.name: [] for worker in workers}
    for number in range(1, rounds + 1):
        first = warmup + (number - 1) * requests
        for worker in workers:
            times[worker.name].append(worker.ask(number, range(first, first + requests)))
    return times


def summarise(times: Times) -> dict[str, Any]:
    """Per side the median milliseconds of every round; per peer the median and spread of its ratio to ours."""
    medians = {name: [statistics.median(one) / 1e6 for one in rounds] for name, rounds in times.items()}
    ours = medians[OURS.name]
    ratios = {
        name: [theirs / mine for theirs, mine in zip(theirs_all, ours, strict=True)]
        for name, theirs_all in medians.items()
        if name != OURS.name
    }
    return {
        "ratios": {name: statistics.median(values) for name, values in ratios.items()},
        "spread": {name: {"min": min(values), "max": max(values)} for name, values in ratios.items()},
        "ratio_per_round": ratios,
        "ms": {name: statistics.median(values) for name, values in medians.items()},
        "ms_per_round": medians,
    }


def describe(
    sizes: Sizes,
    ready: Ready,
    core: int,
    requests: int,
    warmup: int,
    sides: Sequence[Peer],
) -> dict[str, Any]:
    """What was run where: sizes, versions, pinning, and how the sides differ; `summarise` adds the figures."""
    return {
        "device": "cpu",
        "cpu": cpu_model(),
        "core": core,
        "threads": 1,
        "python": platform.python_version(),
        "versions": {name: said.get("versions", {}) for name, said in ready.items()},
        "sizes": asdict(sizes),
        "requests_per_round": requests,
        "warmup_requests": warmup,
        "load_average_1m": round(os.getloadavg()[0], 2),
        "valid": "every returned list checked: distinct items of the catalogue",
        "titles": {side.name: side.title for side in sides},
        "differs": {side.name: side.differs for side in sides},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m loadtest.bench.peers`: the same as `promise bench peers`."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rounds", 7), ("requests", 20), ("beam", 50), ("k-plus", 200), ("codes", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--core", type=int, help="the core to pin to; the last one by default")
    parser.add_argument("--prm", choices=("inner", "cross"), default="inner", help="form of our reward model")
    parser.add_argument("--index-url", default="", help="one more package index for the peers' environments")
    parser.add_argument("--json", action="store_true", dest="json_output")
    parser.add_argument("--fresh", action="store_true", help="rebuild the peers' environments")
    try:
        run_peers(**vars(parser.parse_args(argv)))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
