"""Peer worker: a SASRec of the same sizes in ONNX Runtime, and the ten best of a faiss index over all items.

Usage: python -m loadtest.bench.workers.sasrec_faiss FOLDER CORE, in an environment with faiss-cpu, onnxruntime, torch
and onnxscript. The graph reads the whole history and answers for its newest item, so its last layer runs one query row;
the index is flat inner product, asked for as many items more as the history may take away.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.bench.workers.protocol import Search, Side, make, new_items, run
from loadtest.bench.workload import I32, Sizes, World

PACKAGES = ("faiss-cpu", "onnxruntime", "numpy")


def searcher(session: Any, index: Any, sizes: Sizes, histories: I32) -> Search:
    """One request, cold: history rows → encoder → nearest items, those of the history left out."""
    wanted = sizes.returned + sizes.history

    def search(request: int) -> list[int]:
        rows = histories[request]
        (hidden,) = session.run(None, {"items": rows[None].astype(np.int64)})
        seen = set(rows.tolist())
        _, found = index.search(hidden, wanted)
        return [item + 1 for item in found[0].tolist() if item + 1 not in seen][: sizes.returned]

    return search


def open_side(world: World, folder: Path) -> Side:
    """Raises ImportError outside the peer's environment."""
    import faiss
    import onnxruntime

    path = folder / "sasrec"
    make("sasrec_export", str(folder), str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path / "encoder.onnx"), options, providers=["CPUExecutionProvider"])
    with np.load(path / "items.npz") as arrays:
        table, parameters = arrays["table"], int(arrays["parameters"])
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(table.shape[1])
    index.add(table)
    search = searcher(session, index, world.sizes, world.histories)
    check = new_items(world.sizes.returned, world.histories)
    counts = {"model": parameters, "tables": table.size}
    return Side(search, check, PACKAGES, faiss.omp_get_max_threads(), counts, "flat inner-product index")


if __name__ == "__main__":
    run(open_side, Path(sys.argv[1]), int(sys.argv[2]))
