"""How much two rates of exposed units differ, and how sure that is: at one look, or at every look.

A rate is the share of an arm's units that have an outcome (0 or 1 a unit). Everything here is a function of counts.

The fixed interval is the usual normal one: right for a single look at a sample size chosen beforehand. The always-valid
one is the asymptotic confidence sequence of Waudby-Smith et al. (arXiv 2103.06476): over all looks together it misses
the truth with probability `alpha` at most, so that anyone may look at any time and stop when it excludes zero. With n
units of both arms and r = n · rho² its half-width is

    error · sqrt(2 (r + 1) / r · log(sqrt(r + 1) / alpha)),    rho² = (-2 log alpha + log(1 - 2 log alpha)) / expected

`expected` tunes where the sequence is narrowest: at about that many units of both arms together. It must be chosen
without looking at outcomes, as one plans a sample size. Any value keeps the guarantee; a poor one only costs width. At
alpha = 0.05 the half-width is 3.0 errors where n = expected, 3.2 where one planned for a tenth of n, 3.9 where one
planned for ten times n, and 1.96 for the fixed interval: rather plan too few than too many.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

ENOUGH = 10  # outcomes and non-outcomes an arm must be able to show before a normal approximation is offered
_LARGEST = 700.0  # exp of more is beyond a float


@dataclass(frozen=True)
class Sample:
    """One arm: its units, and how many of them have the outcome (0 ≤ positive ≤ units)."""

    units: int
    positive: int

    @property
    def rate(self) -> float | None:
        """Share of units with the outcome; None where there are no units."""
        return self.positive / self.units if self.units else None


@dataclass(frozen=True)
class Effect:
    """A value, its standard error, and the units of both arms behind it."""

    value: float
    error: float
    units: int


@dataclass(frozen=True)
class Interval:
    """Both ends belong to it."""

    low: float
    high: float


def difference(control: Sample, treatment: Sample) -> Effect | None:
    """Treatment's rate minus control's; None while it is too early for a normal approximation.

    It is too early until each arm would have ENOUGH units with and without the outcome at the rate of both together: so
    an arm that lost every outcome is told, and a handful of units is not. The error adds one success and one failure an
    arm (Agresti and Caffo), which keeps it above zero.
    """
    units = control.units + treatment.units
    positive = control.positive + treatment.positive
    rarer = min(positive, units - positive)
    if min(control.units, treatment.units) * rarer < ENOUGH * max(units, 1):
        return None
    value = treatment.positive / treatment.units - control.positive / control.units
    return Effect(value, math.sqrt(_variance(control) + _variance(treatment)), units)


def log_ratio(control: Sample, treatment: Sample) -> Effect | None:
    """log(treatment's rate / control's); None while an arm has fewer than ENOUGH outcomes, or it is too early anyway.

    The delta method on the logarithm: Var = (1 - p) / positive, summed over both arms. An interval of the plain ratio
    is too short on one side where outcomes are rare, and may promise less than -100 %; here it cannot, and swapping
    the arms mirrors it.
    """
    if min(control.positive, treatment.positive) < ENOUGH or difference(control, treatment) is None:
        return None
    shares = [sample.positive / sample.units for sample in (control, treatment)]
    counts = (control.positive, treatment.positive)
    variance = sum((1 - share) / count for share, count in zip(shares, counts, strict=True))
    return Effect(math.log(shares[1] / shares[0]), math.sqrt(variance), control.units + treatment.units)


def fixed(effect: Effect, alpha: float) -> Interval:
    """The normal interval for one look (0 < alpha < 1)."""
    return _around(effect, NormalDist().inv_cdf(1 - alpha / 2))


def always_valid(effect: Effect, alpha: float, expected: int) -> Interval:
    """The interval for any number of looks; `expected` > 0 units tune it (see the module)."""
    return _around(effect, boundary(effect.units, alpha, expected))


def boundary(units: int, alpha: float, expected: int) -> float:
    """Half-width of the always-valid interval in standard errors at `units` > 0."""
    twice_log = -2 * math.log(alpha)
    r = units * (twice_log + math.log(twice_log + 1)) / expected
    return math.sqrt((r + 1) / r * (math.log(r + 1) + twice_log))


def relative(interval: Interval) -> Interval:
    """An interval of log ratios as relative lifts: 0.1 is 10 % more."""
    return Interval(*(math.expm1(min(end, _LARGEST)) for end in (interval.low, interval.high)))


def _around(effect: Effect, errors: float) -> Interval:
    return Interval(effect.value - errors * effect.error, effect.value + errors * effect.error)


def _variance(sample: Sample) -> float:
    rate = (sample.positive + 1) / (sample.units + 2)
    return rate * (1 - rate) / sample.units
