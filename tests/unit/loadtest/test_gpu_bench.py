"""The GPU benchmark, run on the CPU: what it measures, what it compares, what it says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import DEPTH, HISTORY, Bundles

from loadtest.bench import gpu, heavy
from loadtest.bench.gpu import Work, run_gpu, targets
from loadtest.bench.gpu_cases import TOLERANCE, Case, agreement
from loadtest.bench.gpu_device import NoDeviceError
from loadtest.bench.gpu_search import Searches, Tier, made_histories
from loadtest.bench.gpu_table import show
from loadtest.bench.output import Output
from loadtest.bench.venvs import BenchError
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine

NARROW, WIDE = Tier("k50", 5, 20), Tier("k1000", 20, 80)
WORK = Work(rounds=2, calls=3, busy_s=0.1, compared=9, batches=(1, 4), tiers=(NARROW, WIDE))


def searches(path: Path, count: int = 9) -> Searches:
    bundle = load(path)
    return Searches(OnnxEngine(bundle, "cpu", 1), made_histories(path, bundle, count, 0, None))


@pytest.fixture(scope="module")
def inner(bundles: Bundles) -> Searches:
    return searches(bundles.inner)


@pytest.fixture(scope="module")
def result(bundles: Bundles) -> dict[str, Any]:
    return run_gpu(bundles.inner, WORK, bundles.cross, device="cpu")


def test_every_case_of_both_models_is_measured(result: dict[str, Any]) -> None:
    assert list(result["models"]) == ["shipped", "tiger"]
    for model in result["models"].values():
        assert [(case["tier"], case["batch"]) for case in model["cases"]] == [
            ("k50", 1),
            ("k50", 4),
            ("k1000", 1),
            ("k1000", 4),
        ]
        for case in model["cases"]:
            assert case["calls"] == 6
            assert 0 < case["p50_ms"] <= case["p99_ms"]
            assert 0 < case["per_second"]["min"] <= case["per_second"]["median"] <= case["per_second"]["max"]
            assert case["device_share"] is None, "a CPU has no counter of a GPU"


def test_a_cpu_agrees_with_itself_in_batches_and_one_by_one(result: dict[str, Any]) -> None:
    for model in result["models"].values():
        assert model["graphs_not_on_cuda"] is None
        for found in model["agreement"].values():
            assert (found["lists"], found["different"], found["within_tolerance"]) == (9, 0, True)


def test_json_is_the_result_and_nothing_else(bundles: Bundles, capsys: pytest.CaptureFixture[str]) -> None:
    few = replace(WORK, rounds=1, calls=1, compared=2, tiers=(NARROW,))
    measured = run_gpu(bundles.inner, few, bundles.inner, json_output=True, device="cpu")
    streams = capsys.readouterr()
    assert json.loads(streams.out) == measured
    assert "requests/s" in streams.err


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"calls": 0}, {"compared": 0}, {"batches": (1, 0)}])
def test_too_little_work_is_refused(bundles: Bundles, wrong: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="needs a round"):
        run_gpu(bundles.inner, replace(WORK, **wrong), bundles.inner, device="cpu")


def test_the_bundle_of_tigers_size_is_made_where_none_is_given(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, Path]] = []

    def ensure(sizes: Any, cache: Path) -> Path:
        asked.append((sizes, cache))
        return bundles.inner

    monkeypatch.setattr(heavy, "ensure", ensure)
    few = replace(WORK, rounds=1, calls=1, compared=1, tiers=(NARROW,), batches=(1,))
    run_gpu(bundles.inner, few, device="cpu")
    sizes, cache = asked[0]
    assert (sizes.d_model, sizes.encoder_layers, sizes.decoder_layers, sizes.history) == (128, 4, 4, 20)
    (tmp_path / "blocks.py").write_text("other graphs")
    monkeypatch.setattr(gpu, "GRAPHS", tmp_path)
    run_gpu(bundles.inner, few, device="cpu")
    assert asked[1][1] != cache, "a bundle of older graphs is not taken for a new one"


def test_a_device_that_cannot_run_is_one_sentence(bundles: Bundles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("Non-zero status code [E] : 9 : cuDNN is unavailable: libcudnn.so is missing\n")

    monkeypatch.setattr(Searches, "ask", fails)
    with pytest.raises(NoDeviceError, match=r"^no CUDA device here: .* cannot run \(cuDNN is unavailable: .*\)\.$"):
        run_gpu(bundles.inner, WORK, bundles.inner, device="cpu")


def test_other_lists_are_noticed(inner: Searches, bundles: Bundles) -> None:
    found = agreement(inner, searches(bundles.cross), NARROW, 4)
    assert found["different"] > 0
    assert not found["within_tolerance"]


def test_what_was_read_is_not_found_and_lists_are_ranked(inner: Searches) -> None:
    for rows, answer in zip(inner.histories, inner.answers(NARROW.plan(inner.engine.bundle), 4), strict=True):
        items, scores = zip(*((int(item["item_id"]), item["score"]) for item in answer["items"]), strict=True)
        assert len(set(items)) == len(items) == 10
        assert not set(items) & set(rows.tolist())
        assert list(scores) == sorted(scores, reverse=True)


def test_histories_fit_the_encoder_and_batches_begin_again(inner: Searches) -> None:
    assert all(1 <= len(rows) <= HISTORY for rows in inner.histories)
    again = inner.batch(7, 4)
    assert [rows is inner.histories[at] for rows, at in zip(again, (7, 8, 0, 1), strict=True)] == [True] * 4


def test_percentiles_are_over_all_calls_and_rates_by_round(inner: Searches) -> None:
    rounds = [np.linspace(0.001, 0.050, 50).tolist(), np.linspace(0.051, 0.101, 51).tolist()]
    figures = Case(inner, NARROW, 8, rounds).figures(None)
    assert figures["calls"] == 101
    assert figures["p50_ms"] == pytest.approx(51.0)
    assert figures["p99_ms"] == pytest.approx(100.0)
    assert figures["per_second"]["max"] == pytest.approx(8 / 0.0255)
    assert figures["per_second"]["min"] == pytest.approx(8 / 0.076)


def model(rate: float, p99: float) -> dict[str, Any]:
    cases = [(("k50", 1), rate / 2, 1.0), (("k50", 8), rate, 1.0), (("k1000", 1), 1.0, p99), (("k1000", 8), 9.0, 99.0)]
    return {
        "cases": [
            {"tier": tier, "batch": batch, "p99_ms": slow, "per_second": {"median": median}}
            for (tier, batch), median, slow in cases
        ]
    }


def test_targets_take_the_best_batch_and_the_single_request() -> None:
    lines = targets({"good": model(2000.0, 14.9), "slow": model(1999.0, 15.0)})
    assert [(line["model"], line["measured"], line["met"]) for line in lines] == [
        ("good", 2000.0, True),
        ("good", 14.9, True),
        ("slow", 1999.0, False),
        ("slow", 15.0, False),
    ]


def test_the_table_says_what_is_wrong(result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    shipped = result["models"]["shipped"]
    bad = shipped["agreement"] | {
        "k50": {"lists": 9, "different": 4, "largest_score_difference": 0.5, "within_tolerance": False}
    }
    cases = [case | {"device_share": 0.75} for case in shipped["cases"]]
    wrong = shipped | {"agreement": bad, "graphs_not_on_cuda": ["prm.onnx"], "cases": cases}
    show(result | {"models": {"shipped": wrong}, "driver": "600.1"}, Output(False))
    said = capsys.readouterr().out
    for sentence in ("4 of 9 lists differ", "MORE THAN 0.001", "left to the CPU: prm.onnx", "75 %", "driver 600.1"):
        assert sentence in said
    assert TOLERANCE == 1e-3


def test_a_tier_has_the_bundles_depth_and_rule(inner: Searches) -> None:
    plan = WIDE.plan(inner.engine.bundle)
    assert [(level.k_keep, level.k_plus) for level in plan.levels] == [(20, 80)] * DEPTH
    assert plan.use_prm
