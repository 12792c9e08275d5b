"""HNSW worker of the scale benchmark, in an environment of its own: it imports faiss, numpy, nothing of this project.

Usage: scale_hnsw.py ITEMS FOLDER CORE. FOLDER holds leaves.npy f16 [L, D] and queries.npy f32 [Q, D]. Evenly spaced
ITEMS of the leaves are ranked by inner product, exactly and by an HNSW graph. It prints a line of facts when the graph
is built and answers every line {"do": "search", "requests": […], "effort": efSearch} with times and recall of ten.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

LINKS, BUILD_EFFORT, BEST, PART = 32, 80, 10, 100_000


def exact(rows: F32, queries: F32) -> list[set[int]]:
    """The ten best rows of every query."""
    scores = queries @ rows.T
    return [set(best.tolist()) for best in np.argpartition(scores, -BEST, axis=1)[:, -BEST:]]


def built(rows: F32) -> tuple[Any, float]:
    """The graph, and the seconds it took. Raises ImportError outside the worker's environment."""
    import faiss

    faiss.omp_set_num_threads(1)
    graph = faiss.IndexHNSWFlat(rows.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = BUILD_EFFORT
    start = time.perf_counter()
    for at in range(0, len(rows), PART):
        graph.add(rows[at : at + PART])
        print(f"{at + PART} of {len(rows)} rows after {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return graph, time.perf_counter() - start


def search(graph: Any, queries: F32, wanted: list[set[int]], requests: list[int], effort: int) -> dict[str, Any]:
    graph.hnsw.efSearch = effort
    times, kept = [], 0
    for request in requests:
        at = request % len(queries)
        start = time.perf_counter_ns()
        _, found = graph.search(queries[at : at + 1], BEST)
        times.append(time.perf_counter_ns() - start)
        kept += len(wanted[at] & set(found[0].tolist()))
    return {"ns": times, "recall": kept / (BEST * len(requests))}


def memory_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("VmRSS"))


def main(items: int, folder: Path, core: int) -> None:
    os.sched_setaffinity(0, {core})
    leaves = np.load(folder / "leaves.npy", mmap_mode="r")
    rows = np.ascontiguousarray(leaves[np.linspace(0, len(leaves) - 1, items).astype(np.int64)], np.float32)
    queries = np.load(folder / "queries.npy")
    wanted = exact(rows, queries)
    before = memory_gb()
    graph, seconds = built(rows)
    bytes_an_item = (memory_gb() - before) * 1e9 / items
    del rows
    facts = {
        "ready": True,
        "affinity": sorted(os.sched_getaffinity(0)),
        "versions": {name: version(name) for name in ("faiss-cpu", "numpy")},
        "items": items,
        "links": LINKS,
        "build_effort": BUILD_EFFORT,
        "build_s": seconds,
        "bytes": bytes_an_item,
    }
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps(search(graph, queries, wanted, message["requests"], message["effort"])), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
