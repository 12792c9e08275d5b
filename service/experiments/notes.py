"""What to know before reading the lifts of a report: each warning a slug and a sentence."""

from collections.abc import Iterator

from service.experiments.balance import ALARM
from service.experiments.report import Arm, Note, Report

DEGRADED = 0.01  # difference in the share of degraded answers that is worth a word
FORCED = 0.1  # share of exposures
FEW = 400  # exposures of a bucket; below, shares differ by chance
TIERS = 0.05  # share of exposures that would have to move to another tier for two mixes to be equal


def notes(report: Report) -> tuple[Note, ...]:
    """Warnings, the gravest first; none for a report that can be taken at its word."""
    return (*_split(report), *_left_out(report), *_arms(report), *_reading(report))


def _split(report: Report) -> Iterator[Note]:
    if report.split.broken:
        text = (
            f"Units are not split as the weights say (sequential p = {report.split.sequential_p:.2g}): "
            "find out why, and trust no lift until then."
        )
        yield Note("sample-ratio-mismatch", text)
    elif report.split.chi_square_p < ALARM:
        text = (
            f"The chi-square test doubts the split (p = {report.split.chi_square_p:.2g}), the sequential test does not "
            "yet: this counts only if nobody looked before."
        )
        yield Note("sample-ratio-doubt", text)


def _left_out(report: Report) -> Iterator[Note]:
    gone = report.ignored
    if gone.events_over_limit:
        text = f"The limit of units was reached; events of other units, not in this report: {gone.events_over_limit:,}."
        yield Note("incomplete", text)
    if gone.units_in_two_buckets:
        text = (
            f"Units seen in two buckets, and left out: {gone.units_in_two_buckets:,}. The weights, a layer or the seed "
            "changed; change the seed and the name with them."
        )
        yield Note("two-buckets", text)
    if gone.units_in_unknown_buckets:
        text = f"Units in buckets that the experiment lacks, and left out: {gone.units_in_unknown_buckets:,}."
        yield Note("unknown-buckets", text)
    if gone.events_unreadable:
        text = f"Entries of the log that are no events, and were skipped: {gone.events_unreadable:,}."
        yield Note("unreadable", text)


def _arms(report: Report) -> Iterator[Note]:
    control, *others = report.arms
    for arm in others:
        if min(exposures(control), exposures(arm)) >= FEW:
            yield from _mixes(control, arm)
    total = sum(map(exposures, report.arms))
    forced = sum(exposures(arm) * (arm.forced_same or 0.0) for arm in report.arms) / max(1, total)
    if forced > FORCED:
        text = (
            f"Load or deadlines chose the tier of {forced:.0%} of the exposures, whatever the bucket asked for: what a "
            "tier changes shows in the others only."
        )
        yield Note("forced-tiers", text)


def _mixes(control: Arm, arm: Arm) -> Iterator[Note]:
    degraded = [one.degraded or 0.0 for one in (control, arm)]
    if abs(degraded[1] - degraded[0]) > DEGRADED:
        text = (
            f"{arm.bucket} had {degraded[1]:.1%} degraded answers and {control.bucket} {degraded[0]:.1%}: the lift is "
            "of what was served, not of what was configured."
        )
        yield Note("degraded", text)
    if moved(control, arm) > TIERS:
        text = (
            f"The mixes of served tiers of {arm.bucket} and {control.bucket} differ by {moved(control, arm):.0%}. "
            "Lifts within a tier tell the rest of the bucket from its tier, but the tier was chosen after the bucket, "
            "so they are no randomised comparison."
        )
        yield Note("served-tiers", text)


def _reading(report: Report) -> Iterator[Note]:
    if len(report.arms) > 2:
        text = (
            f"{len(report.arms) - 1} buckets are compared with {report.control}; each interval holds with probability "
            f"{1 - report.alpha:.4g}, so that all of one event type hold together."
        )
        yield Note("several-buckets", text)


def exposures(arm: Arm) -> int:
    """Exposures of a bucket, by whatever tier."""
    return sum(arm.exposures.values())


def moved(one: Arm, other: Arm) -> float:
    """Share of exposures to move to make two served-tier mixes equal (total variation, 0 to 1)."""
    here, there = _mix(one), _mix(other)
    return sum(abs(here.get(tier, 0.0) - there.get(tier, 0.0)) for tier in {**here, **there}) / 2


def _mix(arm: Arm) -> dict[str, float]:
    return {tier: count / exposures(arm) for tier, count in arm.exposures.items()}
