"""The report of one experiment out of its ledger."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from service.experiments.assignment import POINTS
from service.experiments.balance import chi_square_p, sequential_p
from service.experiments.comparison import Lift, Method, compare
from service.experiments.config import Bucket, Experiment
from service.experiments.ledger import Ledger
from service.experiments.notes import notes
from service.experiments.records import EVENTS
from service.experiments.report import Arm, Ignored, Outcome, Rate, Report, Split, Stratum
from service.experiments.statistics import Sample

Cells = Mapping[tuple[str, str], Sequence[int]]


def summarise(
    ledger: Ledger, experiment: Experiment, method: Method, anonymous: int = 0, unreadable: int = 0
) -> Report:
    """Every figure of the report; `anonymous` and `unreadable` are counts of the whole log.

    The method's alpha is divided among the buckets beside the control. Buckets that the experiment does not have (any
    more) are left out and counted.
    """
    buckets = [bucket.name for bucket in experiment.buckets]
    each = replace(method, alpha=method.alpha / max(1, len(buckets) - 1))
    cells, expected = ledger.cells(), shares(experiment)
    units = {bucket: _sample(cells, bucket).units for bucket in buckets}
    counts = list(units.values())
    report = Report(
        experiment=experiment.name,
        control=buckets[0],
        alpha=each.alpha,
        expected_units=each.expected_units,
        since=ledger.since,
        until=ledger.until,
        arms=tuple(_arm(ledger, bucket, units[bucket.name]) for bucket in experiment.buckets),
        split=Split(chi_square_p(counts, expected), sequential_p(counts, expected)),
        outcomes=tuple(_outcome(cells, buckets, event, each) for event in EVENTS),
        ignored=Ignored(
            units_in_two_buckets=ledger.units.crossed,
            units_in_unknown_buckets=sum(cell[0] for (bucket, _), cell in cells.items() if bucket not in units),
            feedback_overridden=ledger.overridden,
            events_over_limit=ledger.refused,
            feedback_anonymous=anonymous,
            events_unreadable=unreadable,
        ),
        notes=(),
    )
    return replace(report, notes=notes(report))


def shares(experiment: Experiment) -> list[float]:
    """Expected share of each bucket among the exposed units [buckets], sum 1.

    The hash knows 10,000 places only, so a small coverage cannot split as finely as the weights ask. Without any place
    (coverage 0) the weights are all there is to go by.
    """
    places = np.arange(POINTS) / POINTS
    ends = np.searchsorted(places, experiment.ranges)
    counts = (ends[:, 1] - ends[:, 0]).tolist()
    total = sum(counts)
    return [count / total for count in counts] if total else [bucket.weight for bucket in experiment.buckets]


def _arm(ledger: Ledger, bucket: Bucket, units: int) -> Arm:
    exposures, feedback = (_by_tier(events, bucket.name) for events in (ledger.exposures, ledger.feedback))
    shown = sum(exposures.values())
    degraded, same = (
        marked[bucket.name] / shown if shown else None for marked in (ledger.degraded, ledger.forced_same)
    )
    return Arm(bucket.name, bucket.weight, units, degraded, same, exposures, feedback)


def _by_tier(events: Counter[tuple[str, str]], bucket: str) -> dict[str, int]:
    return {tier: count for (name, tier), count in sorted(events.items()) if name == bucket}


def _outcome(cells: Cells, buckets: Sequence[str], event: str, method: Method) -> Outcome:
    samples = {bucket: _sample(cells, bucket, event) for bucket in buckets}
    strata = tuple(
        Stratum(tier, _rates(within), _lifts(within, buckets[0], method))
        for tier in sorted({tier for _, tier in cells})
        if (within := _within(cells, buckets, event, tier))
    )
    return Outcome(event, _rates(samples), _lifts(samples, buckets[0], method), strata)


def _within(cells: Cells, buckets: Sequence[str], event: str, tier: str) -> dict[str, Sample]:
    """Buckets with units of that tier; none unless the control and another one have some."""
    samples = {bucket: _sample(cells, bucket, event, tier) for bucket in buckets}
    served = {bucket: sample for bucket, sample in samples.items() if sample.units}
    return served if buckets[0] in served and len(served) > 1 else {}


def _sample(cells: Cells, bucket: str, event: str | None = None, tier: str | None = None) -> Sample:
    """Units of a bucket, of one tier if that is asked, and how many of them have the outcome."""
    column = 1 + EVENTS.index(event) if event else 0
    fitting = [cell for (name, served), cell in cells.items() if name == bucket and tier in (None, served)]
    return Sample(sum(cell[0] for cell in fitting), sum(cell[column] for cell in fitting))


def _rates(samples: Mapping[str, Sample]) -> tuple[Rate, ...]:
    return tuple(Rate(bucket, one.units, one.positive, one.rate) for bucket, one in samples.items())


def _lifts(samples: Mapping[str, Sample], control: str, method: Method) -> tuple[Lift, ...]:
    others = {bucket: sample for bucket, sample in samples.items() if bucket != control}
    return tuple(compare(bucket, samples[control], sample, method) for bucket, sample in others.items())
