"""One bucket against the control: absolute and relative lift, each with two intervals, and a verdict.

The verdict comes from the always-valid interval of the absolute lift alone, so it may be read at any time.
"""

from dataclasses import dataclass
from typing import Literal

from service.experiments.statistics import (
    Effect,
    Interval,
    Sample,
    always_valid,
    difference,
    fixed,
    log_ratio,
    relative,
)

Verdict = Literal["higher", "lower", "undecided", "too early"]


@dataclass(frozen=True)
class Method:
    """How sure, and for which size of experiment.

    Attributes:
        alpha: chance that any always-valid interval of one event type ever misses the truth; the buckets beside the
            control share it, event types and served tiers do not.
        expected_units: exposed units of both arms together at which a decision is expected. It tunes the width of the
            always-valid intervals (see service.experiments.statistics), and must not be chosen by what came out.
    """

    alpha: float = 0.05
    expected_units: int = 5_000


DEFAULT_METHOD = Method()


@dataclass(frozen=True)
class Estimate:
    """A lift; None is what cannot be told: no units, nothing to divide by, or too early for an interval."""

    value: float | None
    always_valid: Interval | None
    fixed: Interval | None


@dataclass(frozen=True)
class Lift:
    """`absolute` in rate (0.01 is one percentage point), `relative` to the control's rate (0.1 is 10 % more)."""

    bucket: str
    absolute: Estimate
    relative: Estimate
    verdict: Verdict


def compare(bucket: str, control: Sample, treatment: Sample, method: Method) -> Lift:
    """What the bucket changed against the control."""
    before, after = control.rate, treatment.rate
    gain = None if before is None or after is None else after - before
    absolute = _estimate(gain, difference(control, treatment), method)
    share = gain / before if before and gain is not None else None
    ratio = _estimate(share, log_ratio(control, treatment), method)
    return Lift(bucket, _within_rates(absolute), _as_relative(ratio), _verdict(absolute.always_valid))


def _estimate(value: float | None, effect: Effect | None, method: Method) -> Estimate:
    if effect is None:
        return Estimate(value, None, None)
    return Estimate(value, always_valid(effect, method.alpha, method.expected_units), fixed(effect, method.alpha))


def _within_rates(estimate: Estimate) -> Estimate:
    """No difference of two rates is beyond ±1, however early the look."""
    wide = estimate.always_valid
    return Estimate(estimate.value, wide and Interval(max(-1.0, wide.low), min(1.0, wide.high)), estimate.fixed)


def _as_relative(estimate: Estimate) -> Estimate:
    always, once = estimate.always_valid, estimate.fixed
    return Estimate(estimate.value, always and relative(always), once and relative(once))


def _verdict(interval: Interval | None) -> Verdict:
    if interval is None:
        return "too early"
    return "higher" if interval.low > 0 else "lower" if interval.high < 0 else "undecided"
