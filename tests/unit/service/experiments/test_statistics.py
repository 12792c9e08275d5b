"""Intervals against scipy, against the mathematics they come from, and against their own promises."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats
from scipy.stats.contingency import relative_risk

from service.experiments.statistics import (
    ENOUGH,
    Sample,
    always_valid,
    boundary,
    difference,
    fixed,
    log_ratio,
    relative,
)

UNITS = st.integers(0, 10**6)
ALPHAS = st.sampled_from([0.2, 0.05, 0.01, 0.001])


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    units = draw(UNITS)
    return Sample(units, draw(st.integers(0, units)))


@given(samples(), samples(), ALPHAS)
def test_the_relative_interval_is_the_one_of_scipy(control: Sample, treatment: Sample, alpha: float) -> None:
    effect = log_ratio(control, treatment)
    assume(effect is not None)
    assert effect is not None
    theirs = relative_risk(treatment.positive, treatment.units, control.positive, control.units)
    interval = relative(fixed(effect, alpha))
    expected = theirs.confidence_interval(1 - alpha)
    assert math.exp(effect.value) == pytest.approx(theirs.relative_risk)
    assert (interval.low + 1, interval.high + 1) == pytest.approx((expected.low, expected.high), rel=1e-6)


@given(samples(), samples(), ALPHAS)
def test_the_fixed_interval_is_the_normal_one(control: Sample, treatment: Sample, alpha: float) -> None:
    effect = difference(control, treatment)
    assume(effect is not None)
    assert effect is not None
    interval = fixed(effect, alpha)
    assert (interval.low, interval.high) == pytest.approx(stats.norm.interval(1 - alpha, effect.value, effect.error))
    rates = [(one.positive + 1) / (one.units + 2) for one in (control, treatment)]
    spread = [stats.bernoulli(rate).var() / one.units for rate, one in zip(rates, (control, treatment), strict=True)]
    assert effect.error == pytest.approx(math.sqrt(sum(spread)))


@given(samples(), samples(), ALPHAS, st.integers(1, 10**9))
def test_nothing_raises_and_every_interval_holds_its_value(
    control: Sample, treatment: Sample, alpha: float, expected: int
) -> None:
    for effect in (difference(control, treatment), log_ratio(control, treatment)):
        if effect is not None:
            for interval in (fixed(effect, alpha), always_valid(effect, alpha, expected)):
                assert -math.inf < interval.low < effect.value < interval.high < math.inf
                assert -1 <= relative(interval).low < relative(interval).high < math.inf


@given(samples(), samples())
def test_swapping_the_arms_mirrors_both_intervals(control: Sample, treatment: Sample) -> None:
    for estimate in (difference, log_ratio):
        one, other = estimate(control, treatment), estimate(treatment, control)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            there, back = always_valid(one, 0.05, 5000), always_valid(other, 0.05, 5000)
            assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


@given(st.integers(1, 10**7), ALPHAS, st.integers(1, 10**7))
def test_the_boundary_is_where_the_normal_mixture_reaches_one_over_alpha(
    units: int, alpha: float, expected: int
) -> None:
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / expected
    total = boundary(units, alpha, expected) * math.sqrt(units)  # of `units` steps with variance 1
    grown = units * rho2 + 1
    log_martingale = rho2 * total**2 / (2 * grown) - math.log(grown) / 2
    assert log_martingale == pytest.approx(-math.log(alpha))


@given(st.integers(10, 10**7), ALPHAS)
def test_no_other_plan_gives_a_narrower_interval_at_the_planned_size(units: int, alpha: float) -> None:
    best = -special.lambertw(-(alpha**2) / math.e, -1).real - 1  # the exact optimum of n · rho²
    narrowest = math.sqrt((best + 1) / best * (math.log(best + 1) - 2 * math.log(alpha)))
    assert narrowest * 0.999999 <= boundary(units, alpha, units) <= narrowest * 1.002
    assert boundary(units, alpha, units) < min(boundary(units, alpha, plan) for plan in (units * 5, (units + 4) // 5))


@pytest.mark.parametrize(("planned", "errors"), [(5000, 3.0), (500, 3.2), (50_000, 3.9)])
def test_what_a_poor_plan_costs(planned: int, errors: float) -> None:
    assert boundary(5000, 0.05, planned) == pytest.approx(errors, abs=0.05)


def test_a_handful_of_units_gets_no_interval() -> None:
    assert difference(Sample(0, 0), Sample(0, 0)) is None
    assert difference(Sample(8, 0), Sample(8, 8)) is None
    assert difference(Sample(10**6, 50), Sample(10, 10)) is None, "ten units say nothing about a rare outcome"
    assert log_ratio(Sample(1000, ENOUGH - 1), Sample(1000, 500)) is None


def test_an_arm_that_lost_every_outcome_is_told() -> None:
    effect = difference(Sample(1000, 100), Sample(1000, 0))
    assert effect is not None
    assert always_valid(effect, 0.05, 5000).high < 0
    assert log_ratio(Sample(1000, 100), Sample(1000, 0)) is None
