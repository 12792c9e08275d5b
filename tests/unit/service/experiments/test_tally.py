"""What counts, what does not, and that neither order nor repetition of the log matters."""

import json
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from event_makers import AB, exposure, feedback, outcome, rate
from hypothesis import given
from hypothesis import strategies as st

from service.experiments.analysis import Tally
from service.experiments.records import EVENTS, NEVER, read
from service.experiments.report import Report
from service.experiments.units import MAX_NAMES, Units

UNITS = st.sampled_from(["u", "v", "w"])
BUCKETS = st.sampled_from(["a", "a", "a", "b"])
TIMES = st.integers(1, 6).map(float)
EXPOSURES = st.builds(exposure, UNITS, BUCKETS, TIMES, st.sampled_from(["k10", "k20"]))
FEEDBACK = st.builds(feedback, UNITS, BUCKETS, st.sampled_from(EVENTS[:2]), TIMES, st.sampled_from(["hash", "header"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["hash", "ab", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def report(*events: object, unit_limit: int = 1000) -> Report:
    tally = Tally(unit_limit=unit_limit)
    for event in events:
        tally.add(event)
    return tally.report(AB)


def by_definition(events: list[dict[str, Any]]) -> tuple[Counter[tuple[str, str, str]], int]:
    """(bucket, tier, event or empty) → units, and units in two buckets, straight from what the module promises."""
    found: Counter[tuple[str, str, str]] = Counter()
    crossed = 0
    for unit in {event["unit"] for event in events}:
        own = [event for event in events if event["unit"] == unit]
        shown = [event for event in own if event["type"] == "exposure"]
        given = [event for event in own if event["type"] == "feedback" and event["assignments"][0][2] == "hash"]
        if not shown:
            continue
        if len({event["bucket"] for event in shown} | {event["assignments"][0][1] for event in given}) > 1:
            crossed += 1
            continue
        first, tier = min((event["time"], event["tier"]) for event in shown)
        kinds = {event["event"] for event in given if event["time"] >= first}
        found.update((shown[0]["bucket"], tier, kind) for kind in ("", *kinds))
    return found, crossed


@given(st.lists(EXPOSURES | FEEDBACK, max_size=12), st.randoms(use_true_random=False))
def test_the_report_follows_the_definition_in_any_order_and_however_often(
    events: list[dict[str, Any]], random: Any
) -> None:
    replayed = [*events, *random.choices(events, k=len(events))] if events else []
    random.shuffle(replayed)
    found, (expected, crossed) = report(*replayed), by_definition(events)
    assert found.ignored.units_in_two_buckets == crossed
    assert (found.outcomes, found.split) == (report(*events).outcomes, report(*events).split)
    for bucket in ("a", "b"):
        for kind in EVENTS:
            one = rate(found, bucket, kind)
            assert one.units == sum(expected[bucket, tier, ""] for tier in ("k10", "k20"))
            assert one.positive == sum(expected[bucket, tier, kind] for tier in ("k10", "k20"))
    for stratum in outcome(found).strata:
        for one in stratum.rates:
            cell = one.bucket, stratum.tier
            assert (one.units, one.positive) == (expected[*cell, ""], expected[*cell, "click"])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_a_unit_belongs_to_the_tier_of_its_first_exposure(order: tuple[int, ...]) -> None:
    shown = [exposure("u", "a", 5.0, "k20"), exposure("u", "a", 5.9, "k10"), exposure("u", "a", 7.0, "floor")]
    found = report(exposure("v", "b", tier="k10"), exposure("w", "b", tier="k20"), *(shown[i] for i in order))
    assert [stratum.tier for stratum in outcome(found).strata] == ["k10"], "of the same second, the first by name"


def test_feedback_under_a_header_never_counts() -> None:
    found = report(exposure("u", "a"), feedback("u", "a", source="header"), feedback("u", "b", source="header"))
    assert rate(found, "a").positive == 0
    assert (found.ignored.feedback_overridden, found.ignored.units_in_two_buckets) == (2, 0)


def test_feedback_before_the_exposure_or_without_a_unit_does_not_count() -> None:
    found = report(feedback("u", "a", time=10.0), feedback(None, "a"), exposure("u", "a", time=11.0))
    assert rate(found, "a").positive == 0
    assert found.ignored.feedback_anonymous == 1


def test_a_unit_in_two_buckets_is_left_out_and_told() -> None:
    found = report(
        exposure("u", "a"), feedback("u", "a"), exposure("u", "b"), exposure("v", "b"), exposure("w", "gone")
    )
    assert (rate(found, "a").units, rate(found, "a").positive, rate(found, "b").units) == (0, 0, 1)
    assert (found.ignored.units_in_two_buckets, found.ignored.units_in_unknown_buckets) == (1, 1)
    assert {"two-buckets", "unknown-buckets"} <= {note.code for note in found.notes}


def test_the_limit_is_told_and_known_units_still_count() -> None:
    found = report(exposure("u", "a"), exposure("v", "b"), feedback("v", "b"), feedback("w", "b"), unit_limit=2)
    assert (rate(found, "a").units, rate(found, "b").positive) == (1, 1)
    assert found.ignored.events_over_limit == 1
    assert "incomplete" in {note.code for note in found.notes}


def test_the_limit_is_shared_by_all_experiments() -> None:
    found = report(exposure("u", "a", experiment="other"), exposure("u", "a"), unit_limit=1)
    assert found.ignored.events_over_limit == 1


def test_names_without_end_do_not_fill_the_memory() -> None:
    names = [f"n{number}" for number in range(MAX_NAMES + 10)]
    assert report(*(exposure("u", "a", tier=name) for name in names)).ignored.events_over_limit == 10
    assert report(*(feedback(name, name) for name in names), unit_limit=10**6).ignored.events_over_limit == 10
    assert report(*(exposure("u", "a", experiment=name) for name in names)).ignored.events_unreadable == 10


@given(JSON, st.sampled_from(["exposure", "feedback"]), st.sampled_from(["", *exposure("u", "a"), *feedback("u", "a")]))
def test_nothing_that_a_line_may_hold_raises(value: Any, kind: str, field: str) -> None:
    event = exposure("u", "a") if kind == "exposure" else feedback("u", "a")
    tally = Tally()
    for odd in (value, event | {field: value}):
        tally.add(odd)
        json.dumps(tally.report(AB).plain(), allow_nan=False, ensure_ascii=False).encode()
        assert tally.unreadable or read(odd) is not None


@pytest.mark.parametrize(
    "change",
    [{"type": "served"}, {"time": 0.5}, {"time": float(NEVER)}, {"time": float("nan")}, {"time": True}, {"time": "1"},
     {"unit": ""}, {"bucket": None}, {"tier": "x" * 513}, {"tier": "\ud800"}, {"degraded": 1}, {"degraded": None}],
)  # fmt: skip
def test_what_is_no_exposure_is_counted_as_unreadable(change: dict[str, Any]) -> None:
    found = report(exposure("u", "a") | change)
    assert (found.ignored.events_unreadable, rate(found, "a").units) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [{"event": "view"}, {"event": None}, {"assignments": None}, {"assignments": [["ab", "a"]]}, {"unit": 7},
     {"assignments": [["ab", "a", "hash"], ["ab", 1, "hash"]]}, {"tier": ""}, {"unit": "\udfff"}, {"time": -1.0}],
)  # fmt: skip
def test_what_is_no_feedback_is_counted_as_unreadable(change: dict[str, Any]) -> None:
    found = report(exposure("u", "a"), feedback("u", "a") | change)
    assert (found.ignored.events_unreadable, rate(found, "a").positive) == (1, 0)


def test_a_unit_takes_the_memory_that_is_told() -> None:
    units = Units()
    tracemalloc.start()
    try:
        for number in range(12_000):
            units.expose(f"{number:032x}", "a", "k10", 1_700_000_000 + number)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(units) < 160
