"""The scale benchmark's parts that need no worker: worlds, changes, the ticking thread, ratios, tables, the figure."""

import io
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_bundle import made_bundle

from loadtest.bench import scale, scale_plot, scale_update, scale_world
from loadtest.bench.output import Output
from loadtest.bench.scale import Plan
from loadtest.bench.scale_table import print_scale
from loadtest.bench.scale_world import Size
from loadtest.bench.venvs import BenchError
from loadtest.bench.workers import scale_hnsw
from service.search.trie import build

SIZE = Size(3000, 64)


@pytest.mark.parametrize("skewed", [False, True])
def test_a_world_has_as_many_different_paths_as_asked(skewed: bool) -> None:
    sids = scale_world.sids(SIZE, skewed)
    assert sids.shape == (SIZE.items, 3)
    assert len(np.unique(sids, axis=0)) == SIZE.items
    assert 0 <= sids.min() <= sids.max() < SIZE.codebook
    assert np.array_equal(sids, scale_world.sids(SIZE, skewed))
    assert not np.array_equal(sids, scale_world.sids(SIZE, skewed, seed=1))


def test_skewed_codes_have_wider_prefixes() -> None:
    even, skewed = (build(scale_world.sids(SIZE, kind)) for kind in (False, True))
    assert skewed.nodes < even.nodes
    assert skewed.branching(2) > 2 * even.branching(2)


@pytest.mark.parametrize("skewed", [False, True])
def test_an_export_over_few_items_sees_how_many_children_there_can_be(skewed: bool) -> None:
    trie = build(scale_world.sids(SIZE, skewed))
    few = build(scale_world.shape(trie))
    assert few.items < SIZE.items / 4
    assert [few.branching(b) for b in range(3)] == [trie.branching(b) for b in range(3)]


def test_rows_are_the_codes_sum_and_some_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_world, "CHUNK", 256)
    trie = build(scale_world.sids(SIZE, True))
    codes = np.random.default_rng(0).normal(size=(3, 64, 8)).astype(np.float32)
    rows = np.zeros((trie.nodes, 8), np.float16)
    scale_world.fill(rows, trie, codes)
    path = trie.path(np.arange(trie.first_leaf, trie.nodes, dtype=np.int32))
    sums = sum(codes[b, trie.code[path[:, b]]] for b in range(3))
    beyond = rows[trie.first_leaf :] - sums
    assert abs(float(beyond.std()) - 0.5) < 0.05
    assert abs(float(beyond.mean())) < 0.05
    assert scale_world.queries(rows, 5).shape == (5, 8)


def test_a_change_adds_and_retires_half_a_percent_and_can_be_made_again() -> None:
    bundle = made_bundle(items=400, depth=3, codes=16)
    revised = bundle
    for seed in range(3):
        revised, updated = scale_update.update(revised, Size(400, 16), seed)
        assert revised.trie.items == 400
        assert len(revised.catalogue.ids) == 400 + 2 * (seed + 1)
        assert updated.wall_s > 0
        assert updated.pause_s > 0


def test_a_pause_is_seen() -> None:
    """One call that holds the interpreter's lock keeps the ticking thread waiting until it ends."""
    number = 7**300_000
    ticking = scale_update.Ticking()
    ticking.start()
    ticking.longest()
    start = time.perf_counter()
    assert number * number > number
    seconds = time.perf_counter() - start
    assert ticking.longest() > seconds / 4
    ticking.stop()


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Plan(sizes=("3m",)), "no size '3m'"),
        (Plan(codes=("odd",)), "uniform or skewed"),
        (Plan(codes=()), "not nothing"),
        (Plan(sizes=("12k",), hnsw=("1m",)), "must be among the sizes"),
        (Plan(rounds=4), "at least 5 rounds"),
        (Plan(updates=0), "1 update"),
    ],
)
def test_what_cannot_be_measured_is_refused(plan: Plan, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        scale.run_scale(plan)


def rounds_of(base: list[float], other: list[float]) -> list[dict[str, dict[str, float]]]:
    def one(k50: float) -> dict[str, float]:
        return {"encode": 1.0, "k50": k50, "k200": 2 * k50, "scan": 10.0}

    return [{"12k": one(mine), "1m": one(its)} for mine, its in zip(base, other, strict=True)]


def test_ratios_are_taken_within_a_round() -> None:
    rounds = rounds_of([1.0, 2.0, 4.0], [1.5, 3.0, 8.0])
    del rounds[2]["1m"]["scan"]
    found = scale._summary(rounds, "1m")
    assert found["over_base"]["k50"] == {"median": 1.5, "min": 1.5, "max": 2.0}
    assert found["ms"] == {"encode": 1.0, "k50": 3.0, "k200": 6.0, "scan": 10.0}
    assert found["scan_over_search"]["max"] == 10 / 1.5


def made_result() -> dict[str, Any]:
    rounds = rounds_of([1.0] * 5, [2.0] * 5)
    updates = [{"wall_s": s, "cpu_s": s, "pause_s": s / 10, "idle_pause_s": 0.002, "peak_gb": s} for s in (1.0, 2.0)]
    facts = {"codebook": 256, "nodes": 20, "widest": [3, 2], "build_s": 0.5, "trie_bytes": 27.0, "row_bytes": 400.0}
    sizes = {
        name: {"items": items} | facts | scale._summary(rounds, name) | scale._updated(updates)
        for name, items in (("12k", 12_101), ("1m", 1_000_000))
    }
    efforts = {"64": {"ms": 1.0, "over_search": 0.5, "recall": 0.75}}
    graph = {"items": 1_000_000, "links": 32, "build_effort": 80, "build_s": 60.0, "bytes": 700.0, "efforts": efforts}
    machine = {"cpu": "a CPU", "threads": 1, "cores": "", "python": "3", "versions": {"numpy": "2"}}
    codes = {"skewed": {"sizes": sizes, "hnsw": {"1m": graph | {"versions": {"faiss-cpu": "1"}}}}}
    return {
        "machine": machine | {"load_average_1m": 0.0},
        "base": "12k",
        "rounds": 5,
        "requests": 2,
        "codes": codes,
    }


def test_the_tables_name_every_size_and_the_figure_is_written(tmp_path: Path) -> None:
    said = io.StringIO()
    with redirect_stdout(said):
        print_scale(made_result(), Output(False))
    text = said.getvalue()
    assert all(part in text for part in ("12,101", "1,000,000", "2.00 to 2.00 times", "skewed codes", "0.75"))
    scale_plot.plot(made_result(), tmp_path / "figures" / "scale.svg")
    assert (tmp_path / "figures" / "scale.svg").stat().st_size > 1000
    with pytest.raises(BenchError, match="cannot be written"):
        scale_plot.plot(made_result(), tmp_path / "scale.nonsense")


def test_the_exact_ten_of_the_graph_worker_are_exact() -> None:
    rng = np.random.default_rng(0)
    rows, queries = rng.normal(size=(500, 8)).astype(np.float32), rng.normal(size=(4, 8)).astype(np.float32)
    for query, best in zip(queries, scale_hnsw.exact(rows, queries), strict=True):
        assert best == set(np.argsort(-(rows @ query))[:10].tolist())
