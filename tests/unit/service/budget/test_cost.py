"""Costs: measured points come back, more work never looks cheaper, and a change of pace is followed and forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.budget.cost import LEVEL1, Costs
from service.budget.ladder import EXACT

BATCHES = (1, 4, 16)
SECONDS = st.floats(1e-5, 1.0)
TABLES = st.lists(SECONDS, min_size=12, max_size=12)
WIDTHS = (("floor", 10), ("k10", 40), ("k20", 80), ("k50", 200))


def calibrated(table: list[float]) -> Costs:
    costs = Costs()
    values = iter(table)
    for tier, k_plus in WIDTHS:
        for batch in BATCHES:
            costs.calibrate(tier, k_plus, batch, next(values))
    return costs


def steady() -> Costs:
    """1 ms a request at floor, 2 ms at k10, 4 ms at k20, 10 ms at k50."""
    scale = {"floor": 0.001, "k10": 0.002, "k20": 0.004, "k50": 0.010}
    return calibrated([scale[tier] * batch for tier, _ in WIDTHS for batch in BATCHES])


def test_nothing_calibrated_costs_nothing() -> None:
    costs = Costs()
    costs.observe("k50", 200, 1, 3.0)
    assert costs.estimate("k50", 200, 8) == costs.level1(8) == 0.0


def test_a_calibrated_point_is_what_it_was() -> None:
    costs = steady()
    assert costs.estimate("k20", 80, 16) == pytest.approx(0.064)
    costs.calibrate("k20", 80, 16, 0.055)
    assert costs.estimate("k20", 80, 16) == pytest.approx(0.055)


def test_between_points_it_is_linear_and_beyond_them_in_proportion() -> None:
    costs = steady()
    assert costs.estimate("k50", 200, 10) == pytest.approx(0.100)
    assert costs.estimate("k50", 200, 64) == pytest.approx(0.640)
    assert costs.estimate("k10", 140, 1) == pytest.approx(0.007)  # half way from k20's K+ to k50's
    assert costs.estimate("k50", 4000, 1) == pytest.approx(0.200)
    assert costs.estimate("k50", 200, 0) == 0.0


def test_level_1_and_the_scan_do_not_bend_the_line_of_the_searches() -> None:
    costs = steady()
    costs.calibrate(LEVEL1, 0, 1, 0.5)
    costs.calibrate(EXACT, 10, 1, 0.0001)
    assert costs.level1(2) == pytest.approx(1.0)
    assert costs.estimate(EXACT, 1000, 1) == pytest.approx(0.0001)
    assert costs.estimate("k10", 140, 1) == pytest.approx(0.007)


@given(TABLES, st.sampled_from([tier for tier, _ in WIDTHS]), *[st.integers(1, 100)] * 2, *[st.integers(1, 5000)] * 2)
def test_more_requests_or_wider_beams_never_look_cheaper(
    table: list[float], tier: str, batch: int, more: int, k_plus: int, wider: int
) -> None:
    costs = calibrated(table)
    assert costs.estimate(tier, k_plus, batch) <= costs.estimate(tier, k_plus, batch + more) * (1 + 1e-9)
    assert costs.estimate(tier, k_plus, batch) <= costs.estimate(tier, k_plus + wider, batch) * (1 + 1e-9)


@given(TABLES, st.lists(st.tuples(st.sampled_from(WIDTHS), st.integers(0, 40), st.floats()), max_size=30))
def test_no_measurement_makes_an_estimate_useless(
    table: list[float], seen: list[tuple[tuple[str, int], int, float]]
) -> None:
    costs = calibrated(table)
    calm = {(tier, batch): costs.estimate(tier, k_plus, batch) for tier, k_plus in WIDTHS for batch in (1, 8, 40)}
    for (tier, k_plus), batch, seconds in seen:
        costs.observe(tier, k_plus, batch, seconds)
    for (tier, batch), before in calm.items():
        assert before / 10 <= costs.estimate(tier, dict(WIDTHS)[tier], batch) * (1 + 1e-9)
        assert costs.estimate(tier, dict(WIDTHS)[tier], batch) <= before * 10 * (1 + 1e-9)


def test_a_slower_machine_is_noticed_at_every_tier() -> None:
    costs = steady()
    for _ in range(30):
        costs.observe("k50", 200, 4, 0.120)  # three times what was calibrated
    assert costs.estimate("k50", 200, 1) == pytest.approx(0.030, rel=0.02)
    assert costs.estimate("floor", 10, 1) == pytest.approx(0.003, rel=0.02)


def test_a_tier_that_was_slow_once_is_tried_again() -> None:
    costs = steady()
    for _ in range(30):
        costs.observe("k50", 200, 1, 0.1)
    for _ in range(400):  # it no longer fits anywhere, so only others are measured
        costs.observe("k10", 40, 1, 0.002)
    assert costs.estimate("k50", 200, 1) == pytest.approx(0.010, rel=0.1)
