"""Our side of the peer benchmark: a random-weight bundle, the ONNX engine on one thread, our searches.

Usage: python -m loadtest.bench.workers.ours SEARCH PRM_FORM FOLDER CORE. SEARCH: guided (K'/K+ with the PRM), plain
(a beam of K', no PRM) or scan (the inner PRM scores every item). One request as the service answers it: history rows →
codes → encoder → search → item ids, nothing cached.
"""

import json
import sys
from pathlib import Path

import numpy as np

from loadtest.bench import workload
from loadtest.bench.workers.protocol import Search, Side, make, new_items, run
from loadtest.bench.workload import I32, World
from service.engine import bundle as bundles
from service.engine.graphs import OnnxEngine
from service.search import guided
from service.search.legality import banned
from service.search.plan import Plan

_UNUSED = {"guided": "", "plain": "prm", "scan": "decoder"}  # the part of the network that a search does not run


def searcher(engine: OnnxEngine, sizes: workload.Sizes, histories: I32, kind: str = "guided") -> Search:
    """One cold request by its index → row numbers of the `returned` best items, found through their ids."""
    catalogue, trie = engine.bundle.catalogue, engine.trie
    use_prm = kind == "guided"
    plan = Plan.uniform(engine.depth, sizes.beam, sizes.k_plus if use_prm else sizes.beam, use_prm=use_prm)

    def search(request: int) -> list[int]:
        rows = histories[request]
        lengths = np.array([len(rows)], np.int32)
        memory = engine.encode(catalogue.sids[rows - 1][None], rows[None], lengths)
        context = engine.context(memory, lengths, [banned(trie, rows)])
        if kind == "scan":
            scanned = engine.scan(context, sizes.returned)
            assert scanned is not None  # the inner form, the only one that this kind is started with
            nodes = scanned[0][0]
        else:
            found = guided.search(engine, context, plan, sizes.returned)
            nodes = found.node[0][~np.isneginf(found.log_prob[0])]
        return [int(catalogue.ids[row - 1]) for row in trie.rows(nodes)]

    return search


def export(form: str, folder: Path) -> tuple[Path, dict[str, int]]:
    """The bundle of this PRM form and its parameter counts; the first worker that needs it makes it for all."""
    path, counts = folder / f"bundle-{form}", folder / f"bundle-{form}.json"
    if not counts.exists():
        make("random_bundle", form, str(folder), str(path))
    parameters: dict[str, int] = json.loads(counts.read_text())
    return path, parameters


def open_side(kind: str, form: str, world: World, folder: Path) -> Side:
    path, parameters = export(form, folder)
    engine = OnnxEngine(bundles.load(path), "cpu", threads=1)
    search = searcher(engine, world.sizes, world.histories, kind)
    used = {name: count for name, count in parameters.items() if name != _UNUSED[kind]}
    return Side(search, new_items(world.sizes.returned, world.histories), ("onnxruntime-gpu", "numpy"), 1, used)


def main(kind: str, form: str, folder: str, core: str) -> None:
    run(lambda world, path: open_side(kind, form, world, path), Path(folder), int(core))


if __name__ == "__main__":
    main(*sys.argv[1:])
