"""The report of one experiment: frozen values that turn into plain JSON, and the gauges that publish them."""

from dataclasses import asdict, dataclass
from typing import Any

from service.experiments.balance import ALARM
from service.experiments.comparison import Lift

LIFT_GAUGE = "promise_experiment_lift"
SRM_GAUGE = "promise_experiment_srm_p"


@dataclass(frozen=True)
class Arm:
    """One bucket: units exposed to it alone; exposures are once a unit, day and replica.

    Shares of exposures: `degraded` answers, and `forced_same`, where load or a deadline gave all buckets the same tier.
    `exposures` and `feedback` count events by the tier that served them.
    """

    bucket: str
    weight: float
    units: int
    degraded: float | None
    forced_same: float | None
    exposures: dict[str, int]
    feedback: dict[str, int]


@dataclass(frozen=True)
class Split:
    """Are units split as the weights say? `sequential_p` may be watched; `chi_square_p` is for one look at the end."""

    chi_square_p: float
    sequential_p: float

    @property
    def broken(self) -> bool:
        """The lifts of an experiment with such a split mean nothing."""
        return self.sequential_p < ALARM


@dataclass(frozen=True)
class Rate:
    """Of `units` exposed ones `positive` had at least one such event since; rate is None where there are no units."""

    bucket: str
    units: int
    positive: int
    rate: float | None


@dataclass(frozen=True)
class Stratum:
    """The units whose first exposure was served by one tier, in buckets where that tier served any."""

    tier: str
    rates: tuple[Rate, ...]
    lifts: tuple[Lift, ...]


@dataclass(frozen=True)
class Outcome:
    """One event type: rates of all buckets, lifts of the others over the control, and the same within served tiers."""

    event: str
    rates: tuple[Rate, ...]
    lifts: tuple[Lift, ...]
    strata: tuple[Stratum, ...]


@dataclass(frozen=True)
class Ignored:
    """What was read and does not count. The last two are of the whole log, not of this experiment."""

    units_in_two_buckets: int
    units_in_unknown_buckets: int
    feedback_overridden: int
    events_over_limit: int
    feedback_anonymous: int
    events_unreadable: int


@dataclass(frozen=True)
class Note:
    """A warning to read before the lifts: a slug for machines, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True)
class Report:
    """Everything about one experiment; `since` and `until` are the seconds of the first and the last exposure.

    `alpha` is that of every single comparison: the experiment's, divided by the number of buckets beside the control.
    """

    experiment: str
    control: str
    alpha: float
    expected_units: int
    since: int | None
    until: int | None
    arms: tuple[Arm, ...]
    split: Split
    outcomes: tuple[Outcome, ...]
    ignored: Ignored
    notes: tuple[Note, ...]

    def plain(self) -> dict[str, Any]:
        """The same as dicts, lists, numbers and strings: what JSON can hold (no NaN, no infinity)."""
        plain: dict[str, Any] = _lists(asdict(self))
        plain["split"]["broken"] = self.split.broken
        return plain


def gauges(report: Report) -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and value of every gauge the report publishes.

    `promise_experiment_lift{experiment,bucket,event,scale,bound}`: scale is absolute or relative; bound is estimate, or
    low and high of the always-valid interval, which are left out while there is none.
    `promise_experiment_srm_p{experiment}` is the sequential p-value: an alert on it may look as often as it likes.
    """
    found = [(SRM_GAUGE, {"experiment": report.experiment}, report.split.sequential_p)]
    for outcome in report.outcomes:
        for lift in outcome.lifts:
            labels = {"experiment": report.experiment, "bucket": lift.bucket, "event": outcome.event}
            found += [(LIFT_GAUGE, labels | more, value) for more, value in _bounds(lift)]
    return found


def _bounds(lift: Lift) -> list[tuple[dict[str, str], float]]:
    bounds: list[tuple[dict[str, str], float]] = []
    for scale, estimate in (("absolute", lift.absolute), ("relative", lift.relative)):
        interval = estimate.always_valid
        values = {
            "estimate": estimate.value,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
        }
        bounds += [({"scale": scale, "bound": name}, value) for name, value in values.items() if value is not None]
    return bounds


def _lists(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {name: _lists(inner) for name, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, tuple | list) else value
