"""The report of an experiment as text."""

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.experiments.comparison import Estimate, Lift
from service.experiments.report import Arm, Outcome, Rate, Report
from service.experiments.statistics import Interval

NOTHING = "–"
LIFT = ("rate", "lift", "always valid", "one look", "relative", "verdict")


def show(report: Report, console: Console) -> None:
    """Warnings first: they say whether the rest can be believed."""
    for note in report.notes:
        console.print(f"! {note.text}", markup=False, highlight=False)
    console.print(_arms(report))
    split = report.split
    console.print(
        f"Split against the weights: p = {split.sequential_p:.3g} at any look, {split.chi_square_p:.3g} if this is the "
        "only one.",
        highlight=False,
    )
    outcomes = [one for one in report.outcomes if any(rate.positive for rate in one.rates)]
    if not outcomes:
        console.print("No such feedback from exposed units yet.")
        return
    console.print(_lifts(report, outcomes))
    if len({tier for arm in report.arms for tier in arm.exposures}) > 1 and outcomes[0].strata:
        console.print(_strata(outcomes))


def _arms(report: Report) -> Table:
    title = f"{report.experiment}, {_moment(report.since)} to {_moment(report.until)}"
    table = _folding("bucket", "weight", "units", "served tiers", "degraded", "tier forced", title=escape(title))
    for arm in report.arms:
        table.add_row(
            escape(arm.bucket),
            f"{arm.weight:.4g}",
            f"{arm.units:,}",
            escape(_mix(arm)),
            _share(arm.degraded),
            _share(arm.forced_same),
        )
    return table


def _lifts(report: Report, outcomes: Iterable[Outcome]) -> Table:
    title = f"Each interval holds with probability {1 - report.alpha:.4g}"
    table = _folding("event", "bucket", *LIFT, title=title)
    for outcome in outcomes:
        for rate in outcome.rates:
            table.add_row(outcome.event, escape(rate.bucket), *_cells(rate, outcome.lifts))
    return table


def _strata(outcomes: Iterable[Outcome]) -> Table:
    title = "Within the tier that served a unit first"
    table = _folding("event", "tier", "bucket", "units", *LIFT, title=title)
    for outcome in outcomes:
        for stratum in outcome.strata:
            for rate in stratum.rates:
                names = outcome.event, escape(stratum.tier), escape(rate.bucket), f"{rate.units:,}"
                table.add_row(*names, *_cells(rate, stratum.lifts))
    return table


def _folding(*columns: str, title: str) -> Table:
    """A table that wraps what is too wide, and cuts nothing off."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cells(rate: Rate, lifts: Iterable[Lift]) -> tuple[str, ...]:
    """Rate, lift, its two intervals, relative lift with its always-valid interval, verdict."""
    lift = next((one for one in lifts if one.bucket == rate.bucket), None)
    if lift is None:
        return _share(rate.rate), "control", NOTHING, NOTHING, NOTHING, NOTHING
    absolute = lift.absolute
    intervals = _interval(absolute.always_valid), _interval(absolute.fixed)
    return _share(rate.rate), _signed(absolute.value), *intervals, _relative(lift.relative), lift.verdict


def _relative(estimate: Estimate) -> str:
    interval = f" ({_interval(estimate.always_valid)})" if estimate.always_valid else ""
    return _signed(estimate.value) + interval


def _mix(arm: Arm) -> str:
    total = sum(arm.exposures.values())
    return ", ".join(f"{tier} {count / total:.0%}" for tier, count in arm.exposures.items()) or NOTHING


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2%}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.2%}"


def _interval(interval: Interval | None) -> str:
    return NOTHING if interval is None else f"{interval.low:+.2%} … {interval.high:+.2%}"


def _moment(second: float | None) -> str:
    return "never" if second is None else f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M} UTC"
