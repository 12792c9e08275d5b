"""How much of the exact scan's ten best the guided search finds, on a bundle that was trained."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.venvs import BenchError
from service.engine import bundle as bundles
from service.engine.bundle import Bundle
from service.engine.graphs import OnnxEngine
from service.engine.protocol import Context
from service.items import rows_of, tokens
from service.search import guided
from service.search.legality import banned
from service.search.plan import Plan, Rule

I32 = NDArray[np.int32]

BEST = 10
TIERS = {"k10": (10, 40), "k20": (20, 80), "k50": (50, 200), "k100": (100, 400), "k200": (200, 800)}


def overlaps(folder: Path, requests: int = 200) -> dict[str, Any]:
    """By tier the mean share of the scan's ten that are found and the median milliseconds, and those of the scan.

    Items are ranked by reward alone on both sides, prefixes by the bundle's own rule; the encoding is not counted.

    Raises:
        BenchError: the folder holds no bundle, or its PRM allows no scan.
    """
    try:
        bundle = bundles.load(folder)
    except bundles.BundleError as error:
        raise BenchError(error.detail) from None
    engine = OnnxEngine(bundle, "cpu", threads=1)
    if not engine.has_scan:
        raise BenchError(f"{folder}: its process reward model allows no exact scan to compare with")
    kept: dict[str, list[float]] = {tier: [] for tier in TIERS}
    times: dict[str, list[float]] = {tier: [] for tier in ("scan", *TIERS)}
    for rows in histories(bundle, requests):
        wanted = _timed(times["scan"], partial(_scanned, engine), engine, rows)
        for tier in TIERS:
            found = _timed(times[tier], partial(_searched, engine, _plan(bundle, tier)), engine, rows)
            kept[tier].append(len(wanted & found) / max(1, len(wanted)))
    return {
        "bundle": bundle.manifest.tag,
        "items": bundle.trie.items,
        "requests": len(times["scan"]),
        "overlap": {tier: statistics.fmean(shares) for tier, shares in kept.items()},
        "ms": {name: statistics.median(values) for name, values in times.items()},
    }


def histories(bundle: Bundle, count: int) -> list[I32]:
    """The bundle's sample histories, as often as needed; made of popular items where it has none."""
    rng, catalogue, limit = np.random.default_rng(0), bundle.catalogue, bundle.manifest.dims.history
    samples = [rows_of(catalogue, sample)[-limit:] for sample in catalogue.samples]
    known = [np.array(rows, np.int32) for rows in samples if rows]
    if known:
        return [known[at % len(known)] for at in range(count)]
    head = catalogue.by_popularity[: 100 * limit]
    return [rng.choice(head, min(limit, len(head)), replace=False) for _ in range(count)]


def _plan(bundle: Bundle, tier: str) -> Plan:
    return Plan.uniform(bundle.trie.depth, *TIERS[tier], rule=Rule(prefix=bundle.manifest.scoring.prefix))


def _timed(times: list[float], work: Callable[[Context], set[int]], engine: OnnxEngine, rows: I32) -> set[int]:
    codes, items, lengths = tokens(engine.bundle.catalogue, rows)
    memory = engine.encode(codes, items, lengths)
    start = time.perf_counter()
    found = work(engine.context(memory, lengths, [banned(engine.trie, rows)]))
    times.append(1e3 * (time.perf_counter() - start))
    return found


def _scanned(engine: OnnxEngine, context: Context) -> set[int]:
    found = engine.scan(context, BEST)
    assert found is not None  # asked before
    return _rows(engine, found[0][0], found[1][0])


def _searched(engine: OnnxEngine, plan: Plan, context: Context) -> set[int]:
    found = guided.search(engine, context, plan, BEST)
    return _rows(engine, found.node[0], found.log_prob[0])


def _rows(engine: OnnxEngine, nodes: I32, scores: NDArray[np.float32]) -> set[int]:
    rows: list[int] = engine.trie.rows(nodes[np.isfinite(scores)]).tolist()
    return set(rows)
