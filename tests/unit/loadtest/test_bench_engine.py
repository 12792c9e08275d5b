"""The engine benchmark: the minimum work counted by hand, and a short run over a tiny bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import Bundles

from loadtest.bench.engine import run_engine
from loadtest.bench.engine_plain import without_prm
from loadtest.bench.engine_profile import operators
from loadtest.bench.engine_work import minimum
from loadtest.bench.venvs import BenchError
from models.manifest import Dims
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.search.guided import search
from service.search.legality import banned
from service.search.plan import Plan

DIMS = Dims(width=2, heads=1, head_width=3, encoder_layers=1, decoder_layers=1, feed_forward=5, history=4)


def test_minimum_work_by_hand() -> None:
    work = minimum(DIMS, codebook=7, history=1, prefixes=(4, 9), plan=Plan.uniform(2, 3, 6))
    assert work.encode == 2 * (4 * 2 * 3 + 3 * 2 + 2 * 2 * 5)
    # Rows: the root, then 3 prefixes. One head, one item: folding costs 2·2·2 once and 2·2 a row, less than projecting.
    assert work.context == 2 * (2 * 2 * 2)
    assert work.expand == 2 * 4 * (2 * 2 + 2 * 2 * 5 + 2 * 7)
    assert work.prm == 2 * (2 * (2 * 2 * (2 + 1) + 2 * 2 * 5 + 2 * 2) + (4 + 6) * 2)
    assert work.total(True) - work.total(False) == work.prm


def test_a_level_has_no_more_rows_than_prefixes_and_more_width_is_more_work() -> None:
    few = minimum(DIMS, 7, 4, (2, 9), Plan.uniform(2, 2, 8))
    assert few == minimum(DIMS, 7, 4, (2, 9), Plan.uniform(2, 2, 8))
    assert minimum(DIMS, 7, 4, (2, 9), Plan.uniform(2, 50, 8)).expand == few.expand
    assert minimum(replace_width(4), 7, 4, (2, 9), Plan.uniform(2, 2, 8)).encode > few.encode


def replace_width(width: int) -> Dims:
    return DIMS.model_copy(update={"width": width})


def test_a_short_run_prints_ratios(bundles: Bundles, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_engine(bundles.inner, history=3, calls=1, widths=(4,), profile=True, json_output=True)
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(result))
    assert {(row["prm"], row["batch"]) for row in said["rows"]} == {(True, 1), (False, 1), (True, 8), (False, 8)}
    for ratio in said["ratios"]["k4"].values():
        assert 0 < ratio["min"] <= ratio["median"] <= ratio["max"]
    assert all(row["over_minimum"]["median"] > 1 for row in said["rows"])
    assert said["profile_us"]["k4"]["MatMul"] > 0


def test_too_few_rounds_or_an_unknown_size_is_one_sentence() -> None:
    with pytest.raises(BenchError, match="at least 5 rounds"):
        run_engine(None, rounds=4)
    with pytest.raises(BenchError, match="no size 'huge'"):
        run_engine(None, size="huge")


def test_the_engine_without_its_prm_runs_the_same_plain_beam(bundles: Bundles) -> None:
    engine = OnnxEngine(load(bundles.inner), "cpu", 1)
    rows, lengths = np.array([[1, 2, 3]], np.int32), np.array([3], np.int32)
    plan, lists = Plan.uniform(engine.depth, 5, 5, use_prm=False), []
    for one in (engine, without_prm(engine)):
        memory = one.encode(one.bundle.catalogue.sids[rows - 1], rows, lengths)
        lists.append(search(one, one.context(memory, lengths, [banned(one.trie, rows[0])]), plan, 5))
    assert np.array_equal(lists[0].node, lists[1].node)
    assert np.array_equal(lists[0].log_prob, lists[1].log_prob)


def test_operators_are_those_of_the_graphs(bundles: Bundles) -> None:
    bundle = load(Path(bundles.inner))
    spent = operators(bundle, [np.array([1, 2], np.int32)], Plan.uniform(bundle.manifest.depth, 4, 8), calls=2)
    assert {"MatMul", "TopK", "LogSoftmax", "SkipSimplifiedLayerNormalization"} <= set(spent)
    assert list(spent.values()) == sorted(spent.values(), reverse=True)
