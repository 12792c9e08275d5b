"""What the benchmarks of the service conclude from what they saw: each verdict can be lost."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_shots import answered, broken, listing, shed

from loadtest.bench import answers, cache_costs, cache_hits, faults, load_step
from loadtest.bench.load_step import Plan
from loadtest.seconds import Shot

PLAN = Plan(seconds=2.0, deadline_ms=100, factors=(0.5, 2.0, 4.0, 0.5, 0.5))


def run(*extra: Shot, lowered_from: float = 2.0, shed_from: float = 4.0, calm_from: float = 7.0) -> list[Shot]:
    """Ten seconds, ten requests in each: lowered by load, then shed, then as before."""
    shots = []
    for n in range(100):
        at = n / 10
        busy = at < calm_from
        if busy and at >= shed_from and n % 2:
            shots.append(shed(at))
        elif busy and at >= lowered_from:
            shots.append(answered(at, tier="k10", reason="load"))
        else:
            shots.append(answered(at))
    return [*shots, *extra]


def test_a_good_load_step_is_kept() -> None:
    found = load_step.findings(run(), PLAN, 20.0)
    assert found["kept"]
    assert (found["first_lowered_s"], found["first_shed_s"], found["recovery_s"]) == (2.0, 4.1, 1)
    assert [step["offered"] for step in found["steps"]] == [20] * 5


@pytest.mark.parametrize(
    "shots",
    [
        run(lowered_from=5.0, shed_from=4.0),
        run(lowered_from=99.0, shed_from=99.0),
        run(calm_from=99.0),
        run(broken(3.0)),
        run(shed(3.0, retry_after=None)),
        run(answered(3.0, latency_s=0.121)),
        run(shed(9.9)),
    ],
)
def test_a_bad_load_step_is_not(shots: list[Shot]) -> None:
    assert not load_step.findings(shots, PLAN, 20.0)["kept"]


def test_a_little_late_is_counted_and_forgiven() -> None:
    found = load_step.findings(run(answered(3.0, latency_s=0.115)), PLAN, 20.0)
    assert (found["missed"], found["missed_by_a_fifth"], found["kept"]) == (1, 0, True)


@pytest.mark.parametrize(("last", "wanted"), [(6.0, 0), (6.1, 1), (8.05, 3), (9.5, None)])
def test_recovery_is_the_first_second_after_the_last_trouble(last: float, wanted: int | None) -> None:
    shots = [answered(n / 10) for n in range(100)]
    trouble = [shed(at / 10) for at in range(20, round(10 * last))] + ([shed(last)] if last > 6 else [])
    assert load_step.recovery([*shots, *trouble], PLAN) == wanted


def test_recovery_does_not_ask_for_less_than_was_usual() -> None:
    usual = [answered(n / 10, reason="load" if n % 4 == 0 else "best") for n in range(100)]
    assert load_step.recovery(usual, PLAN) == 0
    worse = [answered(n / 10, reason="load" if n % (4 if n < 60 else 2) == 0 else "best") for n in range(100)]
    assert load_step.recovery(worse, PLAN) is None


def test_no_answer_at_all_is_not_kept() -> None:
    assert not load_step.findings([], replace(PLAN, factors=(0.5, 2.0, 0.5)), 1.0)["kept"]


ONE = listing(("a", 3.0), ("b", 2.0), ("c", 1.0))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ONE, True),
        (listing(("a", 3.1), ("b", 2.1), ("c", 1.1)), True),  # the same list: scores are compared where items differ
        (listing(("a", 3.0), ("b", 2.0), ("d", 1.000001)), True),
        (listing(("a", 3.0), ("b", 2.0), ("d", 1.01)), False),
        (listing(("b", 3.0), ("a", 2.0), ("c", 1.0)), False),
        (listing(("a", 3.0), ("d", 2.000001), ("b", 2.0)), False),
        (listing(("b", 2.0), ("a", 3.0), ("c", 1.0)), False),
        (listing(("a", 3.0), ("b", 2.0)), False),
        (listing(), False),
    ],
)
def test_when_two_answers_are_the_same(other: dict[str, object], same: bool) -> None:
    assert answers.same(ONE, other) is same
    assert answers.different([ONE, ONE], [ONE, other]) == ([] if same else [1])


def test_two_items_of_almost_one_score_may_change_places() -> None:
    tied = listing(("a", 3.0), ("b", 2.0), ("c", 2.000001))
    assert answers.same(tied, listing(("a", 3.0), ("c", 2.0), ("b", 2.0)))


def test_the_largest_difference_of_an_items_scores() -> None:
    assert answers.furthest([ONE], [listing(("c", 1.5), ("a", 3.0), ("x", 9.0))]) == 0.5
    assert answers.furthest([ONE], [listing()]) == 0.0


def test_one_stall_does_not_decide_a_parts_p99() -> None:
    calm = [answered(n / 100, latency_s=0.005) for n in range(500)]
    stalled = [answered(2 + n / 100, latency_s=0.5) for n in range(20)]
    assert faults.typical_p99_ms(calm + stalled) == pytest.approx(5.0)
    slow = [answered(n / 100, latency_s=0.05) for n in range(0, 500, 10)]
    assert faults.typical_p99_ms(calm + slow) == pytest.approx(50.0)
    assert faults.typical_p99_ms([]) is None


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"failed": 1}, False),
        ({"different": 1}, False),
        ({"added_p99_ms": {"first": 61.0, "open": 0.0}}, False),
        ({"added_p99_ms": {"first": 40.0, "open": 3.1}}, False),
        ({"added_p99_ms": {"first": 99.0, "open": 9.0}, "name": "killed"}, True),
    ],
)
def test_when_a_row_of_the_fault_table_is_kept(change: dict[str, object], kept: bool) -> None:
    row = {"name": "paused", "failed": 0, "different": 0, "added_p99_ms": {"first": 40.0, "open": 1.0}}
    assert faults.kept(row | change) is kept


@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_at_the_break_even_hit_ratio_nothing_is_won(saved: float, lost: float) -> None:
    ratio = cache_costs.hit_ratio(saved, lost)
    assert ratio is not None
    assert math.isclose(ratio * saved, (1 - ratio) * lost, rel_tol=1e-9)


def test_a_hit_that_saves_nothing_never_pays_and_a_free_miss_always() -> None:
    assert cache_costs.hit_ratio(0.0, 1.0) is None
    assert cache_costs.hit_ratio(1.0, -0.5) == 0.0


def test_hit_ratios_are_read_from_the_metrics() -> None:
    metrics = {
        'promise_cache_requests_total{tier="memory",result="hit"}': 30.0,
        'promise_cache_requests_total{result="miss",tier="memory"}': 70.0,
        'promise_cache_requests_total{tier="redis",result="hit"}': 50.0,
        'promise_cache_requests_total{tier="redis",result="miss"}': 20.0,
        "promise_cache_entries": 9.0,
    }
    assert cache_hits.ratios(metrics, 100) == pytest.approx({"memory": 0.3, "redis": 0.5, "miss": 0.2})
