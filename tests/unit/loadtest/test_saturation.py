"""Saturation: what an answer is worth, what a cell adds up to, modes compared pair by pair, the picture drawn."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from made_shots import answered, broken, listing, shed, skipped

from loadtest.bench.saturation import Plan, run_saturation
from loadtest.bench.saturation_plot import plot
from loadtest.bench.saturation_rows import Cell, Run, cell, plain, ratios, rows
from loadtest.bench.saturation_table import tiers
from loadtest.bench.saturation_users import NOTHING, Quality, Users, judged, users_of
from loadtest.bench.venvs import BenchError
from loadtest.seconds import Shot

if TYPE_CHECKING:
    from tiny import Bundles

RUN = Run("auto", 2.0, 0, users=(0, 1, 0, 1, 0, 1, 0, 1), warm_s=1.0, seconds=3.0, deadline_s=0.1, busy=0.2)
USERS = Users([("a",), ("b",)], ["x", "y"], {}, "measured")


def numbered(*shots: Shot) -> list[Shot]:
    for number, shot in enumerate(shots):
        shot.number = number
    return list(shots)


def shots() -> list[Shot]:
    """User 0 wants x, user 1 wants y; the first arrival belongs to the warm-up."""
    x_first, y_second = listing(("x", 2), ("y", 1)), listing(("x", 2), ("y", 1))
    return numbered(
        answered(0.5, **x_first),
        answered(1.1, 0.02, "k10", **y_second),
        answered(1.2, 0.04, "k50", **x_first),
        answered(1.3, 0.2, "k50", **listing(("y", 1))),
        shed(1.4),
        skipped(1.5),
        broken(1.6),
        answered(2.9, 0.06, "k50", degraded=True, **listing(("z", 1))),
    )


def test_a_list_is_worth_where_its_target_stands() -> None:
    assert judged(["x", "y"], "x") == Quality(1.0, 1.0)
    assert judged(["x", "y"], "y") == Quality(1 / math.log2(3), 1.0)
    assert judged([*map(str, range(10)), "x"], "x") == NOTHING
    assert judged([], "x") == NOTHING


def test_a_cell_counts_what_came_after_the_warm_up() -> None:
    found = cell(shots(), RUN, USERS)
    assert (found.offered, found.goodput) == (7 / 2, 3 / 2)
    assert (found.shed, found.late, found.cut) == pytest.approx((1 / 7, 1 / 7, 1 / 7))
    assert (found.failed, found.skipped) == (1, 1)
    assert found.tiers == {"k10": 1, "k50": 2}
    assert (found.p50_ms, found.p99_ms) == pytest.approx((60, 200)), "late answers count in latency"


def test_refused_and_late_answers_are_worth_nothing() -> None:
    found = cell(shots(), RUN, USERS)
    worth = 1 / math.log2(3) + 1.0
    assert found.ndcg == pytest.approx(worth / 3)
    assert found.ndcg_offered == pytest.approx(worth / 7)
    assert found.ndcg_a_second == pytest.approx(worth / 2)
    assert (found.recall, found.recall_offered) == pytest.approx((2 / 3, 2 / 7))


def test_a_cell_without_answers_is_worth_nothing_and_has_no_mean() -> None:
    found = cell(numbered(shed(1.4)), RUN, USERS)
    assert (found.goodput, found.p99_ms, found.ndcg, found.ndcg_offered) == (0, None, None, 0)


def test_expected_quality_needs_a_figure_for_every_tier() -> None:
    one = {"test k50 ndcg@10": 0.07, "test k50 recall@10": 0.12}
    both = one | {"test k10 ndcg@10": 0.05, "test k10 recall@10": 0.1}
    known = cell(shots(), RUN, Users([("a",)], None, both, "expected"))
    assert known.ndcg == pytest.approx((0.05 + 0.07 + 0.07) / 3)
    partly = cell(shots(), RUN, Users([("a",)], None, one, "expected"))
    assert (partly.ndcg, partly.ndcg_offered, partly.ndcg_a_second) == (None, None, None)


def made(mode: str, factor: float, repeat: int, goodput: float, ndcg: float | None = 0.1) -> Cell:
    worth = (ndcg, ndcg, ndcg, ndcg, None if ndcg is None else ndcg * goodput)
    return Cell(mode, factor, repeat, 100, goodput, 5, 9, 0, 0, 0, *worth, 0, 1, {"k10": 3, mode: 1}, 0.3, 1.0)


CELLS = [made("auto", 1, 0, 80), made("auto", 1, 1, 90), made("auto", 2, 0, 120)]
CELLS += [made("k50", 1, 0, 80), made("k50", 1, 1, 60), made("k50", 2, 0, 0)]


def test_repeats_become_one_row() -> None:
    first, *others = rows(CELLS)
    assert (first["mode"], first["factor"], first["skipped"]) == ("auto", 1, 2)
    assert first["goodput"] == {"median": 85, "min": 80, "max": 90}
    assert first["tiers"] == {"k10": 6, "auto": 2}
    assert len(others) == 3
    assert first["ndcg"]["mean"] == pytest.approx(0.1)
    uneven = rows([made("auto", 1, 0, 30, 0.1), made("auto", 1, 1, 90, 0.2)])[0]["ndcg"]
    assert (uneven["mean"], uneven["min"], uneven["max"]) == pytest.approx((0.175, 0.1, 0.2)), "every list counts once"
    assert rows([made("auto", 1, 0, 80, None)])[0]["ndcg"] is None


def test_modes_are_compared_repeat_by_repeat() -> None:
    found = ratios(CELLS, "auto", "k50", "goodput")
    assert found == {1: {"median": 1.25, "min": 1.0, "max": 1.5}}, "nothing is compared with nothing"
    assert ratios([made("auto", 1, 0, 80, None)], "auto", "k50", "ndcg_a_second") == {}


def test_users_come_equally_often() -> None:
    drawn = Users([("a",)] * 7, None, {}, "").drawn(17, np.random.default_rng(0))
    assert sorted(np.bincount(drawn).tolist()) == [2, 2, 2, 2, 3, 3, 3]
    assert len(set(drawn[:7])) == 7


def test_tiers_are_told_cheapest_first() -> None:
    assert tiers({"k100": 1, "k20": 2, "none": 1, "floor": 4}) == "none 12%, floor 50%, k20 25%, k100 12%"


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the bench extra is not installed")
    plan = {"modes": ["auto", "k50"], "deadline_ms": 250}
    result = {"plan": plan, "rows": rows(CELLS), "capacity": 100.0, "bundle": "beauty"} | {"cells": plain(CELLS)}
    plot(result, tmp_path / "made" / "saturation.svg")
    assert (tmp_path / "made" / "saturation.svg").read_text().startswith("<?xml")
    with pytest.raises(BenchError, match="cannot be written"):
        plot(result, tmp_path / "saturation.unknown")


def test_users_without_data_are_made_and_say_so(bundles: "Bundles", tmp_path: Path) -> None:
    users = users_of(bundles.inner, None)
    assert users.targets is None
    assert "expected" in users.source
    with pytest.raises(BenchError):
        users_of(bundles.inner, tmp_path)
    with pytest.raises(BenchError, match=r"manifest\.json"):
        users_of(tmp_path, None)


def test_test_users_are_those_of_the_bundles_setting(data_dir: Path) -> None:
    bundle = Path(__file__).resolve().parents[3] / "models" / "bundles" / "beauty"
    users = users_of(bundle, data_dir)
    assert users.targets is not None
    assert len(users.targets) == len(users.histories) == 22_363
    assert not any(target in history for target, history in zip(users.targets, users.histories, strict=True))


@pytest.mark.parametrize(
    "plan", [Plan(repeats=0), Plan(warm_s=5), Plan(factors=()), Plan(factors=(0.5, -1)), Plan(modes=("auto",))]
)
def test_a_plan_that_measures_nothing_is_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="a saturation run needs"):
        run_saturation(tmp_path, plan)
