"""The report as values: tiers, notes, gauges, JSON."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from event_makers import AB, exposure, feedback, outcome
from scipy import stats

from service.experiments.analysis import Tally
from service.experiments.assignment import assign
from service.experiments.comparison import Method
from service.experiments.config import Bucket, Experiment, Experiments
from service.experiments.records import EVENTS
from service.experiments.report import LIFT_GAUGE, SRM_GAUGE, Report, gauges
from service.experiments.summary import shares

THREE = Experiment("ab", "ab-1", (Bucket("a", 0.4), Bucket("b", 0.3), Bucket("c", 0.3)))


def made(cells: dict[tuple[str, str], tuple[int, int]], experiment: Experiment = AB, **fields: Any) -> Report:
    """A report on so many (units, clicks) of each (bucket, tier)."""
    tally = Tally()
    for (bucket, tier), (units, clicks) in cells.items():
        for number in range(units):
            unit = f"{bucket}{tier}{number}"
            tally.add(exposure(unit, bucket, tier=tier, **fields))
            if number < clicks:
                tally.add(feedback(unit, bucket))
    return tally.report(experiment)


def codes(report: Report) -> set[str]:
    return {note.code for note in report.notes}


def test_an_experiment_without_events_has_an_empty_report() -> None:
    report = Tally().report(THREE)
    assert [one.event for one in report.outcomes] == list(EVENTS)
    assert {lift.verdict for one in report.outcomes for lift in one.lifts} == {"too early"}
    assert (report.since, report.until, report.split.sequential_p) == (None, None, 1.0)
    assert [value for _, _, value in gauges(report)] == [1.0]
    assert json.loads(json.dumps(report.plain(), allow_nan=False)) == report.plain()


def test_plain_is_json_and_says_what_the_report_says() -> None:
    report = made({("a", "k10"): (300, 60), ("b", "k10"): (300, 90)})
    plain = json.loads(json.dumps(report.plain(), allow_nan=False))
    assert plain == report.plain()
    click = next(one for one in plain["outcomes"] if one["event"] == "click")
    assert click["rates"][1] == {"bucket": "b", "units": 300, "positive": 90, "rate": 0.3}
    lift = click["lifts"][0]
    assert lift["absolute"]["value"] == pytest.approx(0.1)
    assert lift["relative"]["value"] == pytest.approx(0.5)
    assert lift["absolute"]["always_valid"]["low"] < lift["absolute"]["fixed"]["low"] < 0.1
    assert plain["split"] == {"chi_square_p": 1.0, "sequential_p": 1.0, "broken": False}


def test_lifts_within_tiers_where_both_buckets_have_units() -> None:
    cells = {("a", "k10"): (900, 90), ("a", "k50"): (100, 40), ("b", "k10"): (100, 10), ("b", "k50"): (900, 360)}
    report = made(cells | {("b", "k100"): (50, 25)})
    strata = {one.tier: one.lifts[0] for one in outcome(report).strata}
    assert set(strata) == {"k10", "k50"}
    assert [strata[tier].absolute.value for tier in ("k10", "k50")] == [0.0, 0.0]
    assert outcome(report).lifts[0].verdict == "higher", "the whole difference comes from the tiers"
    assert "served-tiers" in codes(report)
    assert "served-tiers" not in codes(made({("a", "k10"): (900, 90), ("b", "k10"): (900, 90)}))


def test_several_buckets_share_the_error() -> None:
    cells = {(name, "k10"): (500, 100) for name in ("a", "b", "c")}
    report, pair = made(cells, THREE), made({("a", "k10"): (500, 100), ("b", "k10"): (500, 100)})
    assert (report.alpha, pair.alpha) == (0.025, 0.05)
    widths = [lift.absolute.fixed for one in (report, pair) for lift in outcome(one).lifts]
    assert [one is not None and one.high for one in widths[:2]] == [
        one is not None and one.high for one in widths[1::-1]
    ]
    assert widths[0] is not None
    assert widths[2] is not None
    ratio = stats.norm.ppf(1 - 0.025 / 2) / stats.norm.ppf(1 - 0.05 / 2)
    assert widths[0].high / widths[2].high == pytest.approx(ratio)
    assert "several-buckets" in codes(report) - codes(pair)


def test_a_broken_split_is_the_first_thing_said() -> None:
    report = made({("a", "k10"): (700, 70), ("b", "k10"): (400, 40)})
    assert report.split.broken
    assert report.notes[0].code == "sample-ratio-mismatch"
    doubtful = made({("a", "k10"): (520, 1), ("b", "k10"): (400, 1)})
    assert (doubtful.split.broken, doubtful.notes[0].code) == (False, "sample-ratio-doubt")


def test_degraded_and_forced_answers_are_told() -> None:
    tally = Tally()
    for number in range(500):
        tally.add(exposure(f"a{number}", "a", degraded=False, forced_same=number < 100))
        tally.add(exposure(f"b{number}", "b", degraded=number < 25))
    report = tally.report(AB)
    assert [(arm.degraded, arm.forced_same) for arm in report.arms] == [(0.0, 0.2), (0.05, 0.0)]
    assert codes(report) == {"degraded"}
    assert codes(made({("a", "k10"): (500, 9), ("b", "k10"): (500, 9)}, forced_same=True)) == {"forced-tiers"}


def test_gauges_carry_the_always_valid_interval_in_fixed_labels() -> None:
    report = made({("a", "k10"): (300, 60), ("b", "k10"): (300, 90)})
    found = gauges(report)
    assert found[0] == (SRM_GAUGE, {"experiment": "ab"}, report.split.sequential_p)
    lift = outcome(report).lifts[0]
    assert lift.relative.always_valid is not None
    expected = {"experiment": "ab", "bucket": "b", "event": "click", "scale": "relative", "bound": "low"}
    assert (LIFT_GAUGE, expected, lift.relative.always_valid.low) in found
    assert {tuple(labels) for name, labels, _ in found if name == LIFT_GAUGE} == {tuple(expected)}
    assert all(isinstance(value, float) for _, _, value in found)


def test_the_plan_sets_the_width_and_never_the_estimate() -> None:
    reports = []
    for expected in (500, 5_000, 500_000):
        tally = Tally(Method(expected_units=expected))
        for number in range(500):
            for bucket in ("a", "b"):
                tally.add(exposure(f"{bucket}{number}", bucket))
                if number < 100:
                    tally.add(feedback(f"{bucket}{number}", bucket))
        reports.append(outcome(tally.report(AB)).lifts[0].absolute)
    widths = [one.always_valid.high - one.always_valid.low for one in reports if one.always_valid]
    assert all(one < other for one, other in pairwise(widths))
    assert {(one.value, one.fixed) for one in reports} == {(0.0, reports[0].fixed)}


def test_the_split_is_held_against_what_the_hash_can_do() -> None:
    small = Experiment("small", "small-1", (Bucket("a", 0.7), Bucket("b", 0.3)), coverage=0.0005)
    found = Counter(assign(Experiments((small,)), str(number), None).primary.bucket for number in range(100_000))
    del found["default"]
    assert shares(small) == pytest.approx([2 / 3, 1 / 3])
    assert stats.chisquare([found["a"], found["b"]], [found.total() * share for share in shares(small)]).pvalue > 0.001
    assert shares(AB) == [0.5, 0.5]
    assert shares(Experiment("off", "off-1", small.buckets, coverage=0.0)) == [0.7, 0.3]
