"""The two tests of the split against scipy, and what each of them notices."""

import math
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from service.experiments.balance import ALARM, CONCENTRATION, chi_square_p, gamma_q, sequential_p

P = Callable[[Sequence[int], Sequence[float]], float]


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    parts = draw(st.lists(st.integers(1, 100), min_size=2, max_size=8))
    counts = draw(st.lists(st.integers(0, 10**6), min_size=len(parts), max_size=len(parts)))
    return counts, [part / sum(parts) for part in parts]


@given(st.floats(0.01, 500), st.floats(0, 2000))
def test_the_incomplete_gamma_function_is_that_of_scipy(a: float, x: float) -> None:
    assert gamma_q(a, x) == pytest.approx(special.gammaincc(a, x), rel=1e-9, abs=1e-14)


def test_its_tail_is_exact_and_its_far_tail_zero() -> None:
    assert gamma_q(0.5, 300.0) == pytest.approx(special.gammaincc(0.5, 300.0), rel=1e-9)
    assert gamma_q(1.0, 1e9) == 0.0
    assert gamma_q(1e6, 1.0) == 1.0


@given(splits())
def test_chi_square_is_that_of_scipy(split: tuple[list[int], list[float]]) -> None:
    counts, weights = split
    total = sum(counts)
    if total:
        expected = stats.chisquare(counts, [total * weight for weight in weights]).pvalue
        assert chi_square_p(counts, weights) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(splits())
def test_the_sequential_p_is_the_inverse_bayes_factor(split: tuple[list[int], list[float]]) -> None:
    counts, weights = split
    prior = stats.dirichlet_multinomial(CONCENTRATION * np.array(weights), np.array(sum(counts)))
    log_factor = prior.logpmf(counts) - stats.multinomial(sum(counts), weights).logpmf(counts)
    assert sequential_p(counts, weights) == pytest.approx(min(1.0, np.exp(-log_factor)), rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("p", [chi_square_p, sequential_p])
def test_nothing_to_test_is_no_alarm_and_the_impossible_is_one(p: P) -> None:
    assert p([0, 0], [0.5, 0.5]) == 1.0
    assert p([7], [1.0]) == 1.0
    assert p([9, 0], [1.0, 0.0]) == 1.0
    assert p([9, 1], [1.0, 0.0]) == 0.0
    assert p([10**9, 10], [0.5, 0.5]) == 0.0
    assert p([500, 500], [0.5, 0.5]) == 1.0


@pytest.mark.parametrize(("share", "units"), [(0.55, 1_700), (0.52, 11_000), (0.51, 45_000)])
def test_it_notices_a_drift_after_about_as_many_units_as_told(share: float, units: int) -> None:
    rng = np.random.default_rng(4)
    looks = np.arange(1, 41) * units // 20
    steps = np.diff(looks, prepend=0)
    found = []
    for _ in range(200):
        first = rng.binomial(steps, share).cumsum()
        p = [sequential_p([int(a), int(n - a)], [0.5, 0.5]) for a, n in zip(first, looks, strict=True)]
        found.append(next((n for n, value in zip(looks.tolist(), p, strict=True) if value < ALARM), math.inf))
    assert 0.8 * units < median(found) < 1.25 * units
