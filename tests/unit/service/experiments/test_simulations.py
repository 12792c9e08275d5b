"""Whole experiments by the thousand: what 100 looks find where there is nothing, and where there is something.

The peeking z-test runs on the same data: it shows what would be found if the always-valid interval were a common one.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from service.experiments.balance import chi_square_p, sequential_p
from service.experiments.statistics import Interval, Sample, always_valid, difference, fixed, log_ratio

RUNS, LOOKS, ALPHA = 2000, 100, 0.05
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Units and outcomes of both arms so far, each [RUNS,LOOKS]."""

    control: tuple[Counts, Counts]
    treatment: tuple[Counts, Counts]

    def looks(self, run: int) -> list[tuple[Sample, Sample]]:
        columns = (*self.control, *self.treatment)
        rows = zip(*(column[run].tolist() for column in columns), strict=True)
        return [(Sample(row[0], row[1]), Sample(row[2], row[3])) for row in rows]


def simulate(rates: tuple[float, float], units: int, share: float = 0.5, seed: int = 1) -> Runs:
    """Independent experiments: `units` in all, a `share` of them in treatment by chance."""
    rng = np.random.default_rng(seed)
    treated = rng.binomial(units // LOOKS, share, (RUNS, LOOKS))
    arms = (units // LOOKS - treated, treated)
    control, treatment = (
        (arm.cumsum(1), rng.binomial(arm, rate).cumsum(1)) for arm, rate in zip(arms, rates, strict=True)
    )
    return Runs(control, treatment)


def misses(runs: Runs, run: int, truth: float, expected: int) -> tuple[bool, bool, bool]:
    """Does any look exclude the true difference: the always-valid interval, its relative sibling (for no difference),
    the common interval?"""
    always = ratio = common = False
    for control, treatment in runs.looks(run):
        effect, logarithm = difference(control, treatment), log_ratio(control, treatment)
        if effect is not None:
            always |= excludes(always_valid(effect, ALPHA, expected), truth)
            common |= excludes(fixed(effect, ALPHA), truth)
        if logarithm is not None:
            ratio |= excludes(always_valid(logarithm, ALPHA, expected), 0.0)
    return always, ratio, common


def excludes(interval: Interval, value: float) -> bool:
    return not interval.low <= value <= interval.high


def shares(runs: Runs, truth: float = 0.0, expected: int = 5000, first: int = RUNS) -> list[float]:
    """The share of the `first` runs in which each of the three misses."""
    found = np.array([misses(runs, run, truth, expected) for run in range(first)])
    return [float(share) for share in found.mean(0)]


@pytest.mark.parametrize(
    ("rate", "units", "share", "expected"),
    [(0.2, 10_000, 0.5, 5000), (0.01, 20_000, 0.5, 500), (0.05, 20_000, 0.1, 5000)],
)
def test_a_hundred_looks_at_nothing_find_something_in_five_percent_at_most(
    rate: float, units: int, share: float, expected: int
) -> None:
    always, ratio, common = shares(simulate((rate, rate), units, share), expected=expected)
    assert always <= ALPHA
    assert ratio <= ALPHA
    assert common > 0.2, "peeking with the common interval would pass too: this simulation shows nothing"


def test_a_planted_lift_is_found_and_its_size_never_lost() -> None:
    rates = (0.10, 0.12)
    runs = simulate(rates, 20_000)
    found, _, _ = shares(runs, first=500)
    lost, _, common = shares(runs, truth=rates[1] - rates[0], first=500)
    assert found >= 0.8
    assert lost <= ALPHA
    assert common > 0.2


def test_the_sequential_split_test_may_be_watched_and_chi_square_may_not() -> None:
    weights = [0.7, 0.3]
    rng = np.random.default_rng(3)
    second = rng.binomial(100, weights[1], (RUNS, LOOKS)).cumsum(1)
    total = 100 * np.arange(1, LOOKS + 1)
    alarms = np.zeros(2)
    for row in second.tolist():
        counts = [[n - b, b] for n, b in zip(total.tolist(), row, strict=True)]
        alarms += [min(p(count, weights) for count in counts) < ALPHA for p in (sequential_p, chi_square_p)]
    assert alarms[0] / RUNS <= ALPHA
    assert alarms[1] / RUNS > 0.2
