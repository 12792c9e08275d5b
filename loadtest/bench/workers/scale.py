"""Scale worker: one catalogue with the graphs of a random-weight model of TIGER's size, asked step by step.

Usage: python -m loadtest.bench.workers.scale SIZE CODES FOLDER CORE; CODES: uniform or skewed. It prints a line of
facts when it is ready and answers every line {"do": step, …} with one line: encode, search, scan, update, save.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.bench import heavy, scale_update, scale_world, workload
from loadtest.bench.scale_world import CHUNK, F16, I32, SIZES, Size
from service.engine import bundle as bundles
from service.engine.bundle import Bundle
from service.engine.catalogue import Catalogue, most_popular
from service.engine.graphs import OnnxEngine
from service.engine.tables import Room, Tables
from service.search import guided
from service.search.legality import banned
from service.search.plan import Plan
from service.search.trie import Trie, build

BUILDS, HISTORY, SCANNED, BEST = 3, 20, 16 * CHUNK, 10
NAMES = {"k50": (50, 200), "k200": (200, 800)}


class Catalogued:
    """One size: the catalogue, its trie and rows, an engine over them."""

    def __init__(self, name: str, skewed: bool, folder: Path) -> None:
        self.size = SIZES[name]
        self.sids = scale_world.sids(self.size, skewed)
        times = []
        for _ in range(BUILDS):
            start = time.perf_counter()
            self.trie = build(self.sids)
            times.append(time.perf_counter() - start)
        self.build_s = statistics.median(times)
        self.bundle = bundle_of(self.size, self.sids, self.trie, folder)
        self.engine = OnnxEngine(self.bundle, "cpu", threads=1)
        rng = np.random.default_rng(2)
        self.histories = rng.integers(1, self.size.items + 1, (64, HISTORY)).astype(np.int32)
        self.memories = [self._encode(rows) for rows in self.histories]
        self.queries = scale_world.queries(self._leaf_rows, 64)

    @property
    def _leaf_rows(self) -> F16:
        """Rows were filled in node order, leaves last."""
        return self.bundle.tables.rows[self.trie.first_leaf : self.trie.nodes]

    def facts(self) -> dict[str, Any]:
        trie, items = self.trie, self.size.items
        return {
            "ready": True,
            "affinity": sorted(os.sched_getaffinity(0)),
            **asdict(self.size),
            "build_s": self.build_s,
            "nodes": trie.nodes,
            "widest": [trie.branching(level) for level in range(trie.depth)],
            "trie_bytes": trie.nbytes / items,
            "row_bytes": (self.bundle.tables.rows.nbytes + self.bundle.tables.row.nbytes) / items,
            "rss_gb": _memory("VmRSS"),
        }

    def encode(self, requests: list[int]) -> dict[str, Any]:
        return _timed(requests, lambda request: self._encode(self.histories[request % 64]))

    def search(self, requests: list[int], tier: str) -> dict[str, Any]:
        """What a request with a cached encoding costs: its context, and all levels."""
        plan = Plan.uniform(self.trie.depth, *NAMES[tier])
        lengths = np.array([HISTORY], np.int32)

        def one(request: int) -> None:
            rows = self.histories[request % 64]
            context = self.engine.context(self.memories[request % 64], lengths, [banned(self.trie, rows)])
            found = guided.search(self.engine, context, plan, BEST)
            real = self.trie.rows(found.node[0][~np.isneginf(found.log_prob[0])])
            if len(set(real.tolist()) - set(rows.tolist())) != BEST:
                raise ValueError(f"{len(real)} items instead of {BEST} new ones")

        return _timed(requests, one)

    def scan(self, requests: list[int]) -> dict[str, Any]:
        """One product over all leaf rows, a part at a time; turning them into float32 is not counted."""
        spent = dict.fromkeys(requests, 0)
        best: dict[int, list[float]] = {request: [] for request in requests}
        for start in range(0, self.size.items, SCANNED):
            part = self._leaf_rows[start : start + SCANNED].astype(np.float32)
            for request in requests:
                began = time.perf_counter_ns()
                score = part @ self.queries[request % 64]
                best[request] += score[np.argpartition(score, -BEST)[-BEST:]].tolist()
                best[request] = sorted(best[request])[-BEST:]
                spent[request] += time.perf_counter_ns() - began
        return {"ns": list(spent.values())}

    def update(self, seed: int) -> dict[str, Any]:
        _, updated = scale_update.update(self.bundle, self.size, seed)
        return asdict(updated) | {"rss_gb": _memory("VmRSS"), "peak_gb": _memory("VmHWM")}

    def save(self, path: str) -> dict[str, Any]:
        """Leaf rows f16 and queries f32, for a worker that imports nothing of this project."""
        np.save(Path(path) / "leaves.npy", self._leaf_rows)
        np.save(Path(path) / "queries.npy", self.queries)
        return {"saved": len(self._leaf_rows)}

    def _encode(self, rows: I32) -> F16:
        lengths, items = np.array([HISTORY], np.int32), np.zeros((1, HISTORY), np.int32)
        return self.engine.encode(self.sids[rows - 1][None], items, lengths)


def bundle_of(size: Size, sids: I32, trie: Trie, folder: Path) -> Bundle:
    """The graphs of a network over a few of these items, with the tables of all of them: items have codes alone."""
    small = export(size, scale_world.shape(trie), folder)
    codes, width = small.tables.code_rows, small.tables.code_rows.shape[2]
    room = Room(np.broadcast_to(np.float16(0), (trie.nodes, width)))
    scale_world.fill(room.rows, trie, codes)
    tables = Tables(np.zeros((1, width), np.float16), room.rows, np.arange(trie.nodes, dtype=np.int32), codes, room)
    manifest = small.manifest.model_copy(update={"items": size.items, "exact": False})
    return replace(small, manifest=manifest, catalogue=catalogue_of(sids), trie=trie, tables=tables)


def export(size: Size, sids: I32, folder: Path) -> Bundle:
    """A random-weight bundle over these codes, exported by a process of its own, which alone imports torch."""
    sizes = workload.Sizes(items=len(sids), codebook=size.codebook)
    return bundles.load(heavy.export(workload.World(sizes, sids, np.zeros((1, HISTORY), np.int32)), folder))


def catalogue_of(sids: I32) -> Catalogue:
    items, unknown = len(sids), np.full(len(sids), -1, np.int32)
    ids = tuple(map(str, range(1, items + 1)))
    popularity = np.random.default_rng(3).zipf(1.5, items).clip(max=10**6).astype(np.int32)
    ranked = most_popular(popularity, np.ones(items, np.bool_))
    rows = dict(zip(ids, range(1, items + 1), strict=True))
    return Catalogue(ids, rows, sids, popularity, (), unknown, (), unknown, (), ranked, added=items)


def _timed(requests: list[int], work: Callable[[int], Any]) -> dict[str, Any]:
    times = []
    for request in requests:
        start = time.perf_counter_ns()
        work(request)
        times.append(time.perf_counter_ns() - start)
    return {"ns": times}


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith(field))


def main(name: str, codes: str, folder: str, core: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not write into the protocol
    catalogued = Catalogued(name, codes == "skewed", Path(folder))
    print(json.dumps(catalogued.facts()), file=out, flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        step = getattr(catalogued, message.pop("do"))
        print(json.dumps(step(**message)), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
