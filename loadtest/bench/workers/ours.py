"""Our side of the peer benchmark: a random-weight bundle, the ONNX engine on one thread, PRM-guided search.

Usage: python -m loadtest.bench.workers.ours PRM_FORM FOLDER CORE, with the line protocol of `loadtest.bench.process`.
One request as the service answers it: history rows → codes → encoder → K'/K+ search → item ids, nothing cached.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from loadtest.bench import workload
from loadtest.bench.workers.hf_t5 import serve
from loadtest.bench.workload import I32
from service.engine import bundle as bundles
from service.engine.graphs import OnnxEngine
from service.search import guided
from service.search.plan import Plan
from service.search.trie import legal


def searcher(engine: OnnxEngine, sizes: workload.Sizes, histories: I32) -> Callable[[int], list[int]]:
    """One cold request by its index → row numbers of the `returned` best items, found through their ids."""
    catalogue, trie = engine.bundle.catalogue, engine.trie
    plan = Plan.uniform(engine.depth, sizes.beam, sizes.k_plus)

    def search(request: int) -> list[int]:
        rows = histories[request]
        lengths = np.array([len(rows)], np.int32)
        memory = engine.encode(catalogue.sids[rows - 1][None], rows[None], lengths)
        context = engine.context(memory, lengths, legal(trie, rows)[None])
        found = guided.search(engine, context, plan, sizes.returned)
        real = ~np.isneginf(found.log_prob[0])
        ids = [catalogue.ids[row - 1] for row in trie.rows(found.node[0][real])]
        return [int(item) for item in ids]

    return search


def main(form: str, folder: Path, core: int) -> None:
    """Pin, export, open, say what is pinned, serve."""
    os.sched_setaffinity(0, {core})
    world, path = workload.load(folder), folder / "bundle"
    export = [sys.executable, "-m", "loadtest.bench.workers.random_bundle", form, str(folder), str(path)]
    subprocess.run(export, check=True, stdout=sys.stderr)
    engine = OnnxEngine(bundles.load(path), "cpu", threads=1)
    ready = {
        "ready": True,
        "versions": {name: version(name) for name in ("onnxruntime-gpu", "numpy")},
        "threads": 1,
        "affinity": sorted(os.sched_getaffinity(0)),
    }
    print(json.dumps(ready), flush=True)
    serve(searcher(engine, world.sizes, world.histories), asdict(world.sizes), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
