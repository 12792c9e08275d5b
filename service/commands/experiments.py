"""promise experiments …: check an experiments file, report what an experiment's events say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service.commands.options import AsJson
from service.commands.output import results, show_json, verdict
from service.errors import ExperimentsError, StartError

if TYPE_CHECKING:
    from service.experiments.analysis import Tally
    from service.experiments.comparison import Method
    from service.experiments.config import Experiment
    from service.experiments.report import Report

EPILOG = """Examples:

promise experiments check experiments.yaml --bundle models/bundles/beauty

promise experiments report budget --experiments experiments.yaml --events events.jsonl"""

app = typer.Typer(no_args_is_help=True, help="Check an experiments file, or report on an experiment.", epilog=EPILOG)

ExperimentsFile = Annotated[
    Path, typer.Option("--experiments", help="The experiments file, as in PROMISE_EXPERIMENTS.")
]
EventsFile = Annotated[Path, typer.Option("--events", help="The event log, as in PROMISE_EVENT_LOG.")]
Bundles = Annotated[
    list[Path] | None,
    typer.Option("--bundle", help="Folder of a bundle to be served, repeatable: overrides must name what it offers."),
]
Expected = Annotated[
    int,
    typer.Option(min=1, help="Units of two buckets together at which a decision is expected; plan it, do not fit it."),
]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The experiments file.")],
    bundle: Bundles = None,
    as_json: AsJson = False,
) -> None:
    """Read an experiments file as the service does; the first mistake is named."""
    from service.experiments.live import LiveExperiments

    if not file.is_file():
        raise ExperimentsError(f"{file}: no such file.")
    offered = _offered(bundle) if bundle else None
    with verdict(as_json, ExperimentsError):
        found = LiveExperiments(file).current
        if offered:
            found.check(*offered)
    if as_json:
        names = [experiment.name for experiment in found.experiments]
        show_json({"ok": True, "file": str(file), "digest": found.digest, "experiments": names})
        return
    for experiment in found.experiments:
        buckets = ", ".join(f"{bucket.name} {bucket.weight:.4g}" for bucket in experiment.buckets)
        typer.echo(f"{experiment.name}: {buckets}; coverage {experiment.coverage:.4g}, seed {experiment.seed}.")
    typer.echo(f"{file} is in order, digest {found.digest}.")


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    experiments: ExperimentsFile,
    events: EventsFile,
    event: Annotated[str | None, typer.Option(help="Only this event type, such as click.")] = None,
    expected_units: Expected = 5000,
    as_json: AsJson = False,
) -> None:
    """Units, split, lifts with always-valid intervals, served tiers. It may be run as often as one likes."""
    from service.commands.experiment_tables import show
    from service.experiments.comparison import Method

    experiment = _named(name, experiments)
    found = _only(_read(events, Method(expected_units=expected_units)).report(experiment), event)
    if as_json:
        show_json(found.plain())
    else:
        show(found, results())


def _named(name: str, file: Path) -> "Experiment":
    from service.experiments.live import LiveExperiments

    live = LiveExperiments(file).current
    experiment = live.named(name)
    if experiment is None:
        known = ", ".join(one.name for one in live.experiments) or "none at all"
        raise ExperimentsError(f"{file} has no experiment {name!r}; it has {known}.")
    return experiment


def _read(file: Path, method: "Method") -> "Tally":
    """Every event of a log; the last line may still be in the writing."""
    from rich.progress import open as watched

    from service.experiments.analysis import Tally
    from service.experiments.events import unpack

    tally, console = Tally(method), Console(stderr=True)
    try:
        with watched(file, "rb", console=console, transient=True, disable=not console.is_terminal) as lines:
            for line in lines:
                event = unpack(line)
                if event is not None or line.endswith(b"\n"):
                    tally.add(event)
    except OSError as error:
        raise StartError(f"The event log {file} cannot be read: {error.strerror}.") from None
    return tally


def _only(report: "Report", event: str | None) -> "Report":
    from dataclasses import replace

    from service.experiments.records import EVENTS

    if event is None:
        return report
    if event not in EVENTS:
        raise StartError(f"There is no event type {event!r}, only {', '.join(EVENTS)}.")
    return replace(report, outcomes=tuple(outcome for outcome in report.outcomes if outcome.event == event))


def _offered(folders: list[Path]) -> tuple[list[str], list[str], list[str]]:
    """Tiers that all bundles offer, cheapest first; the bundles' names; strategies that all offer."""
    from service.budget.difficulty import Gauge
    from service.budget.ladder import Ladder, common
    from service.engine.bundle import read_manifest
    from service.search.plan import Rule
    from service.search.strategies.routed import Router

    manifests = [read_manifest(folder) for folder in folders]
    ladders = [
        Ladder(manifest.depth, Rule(), manifest.exact, votes=manifest.votes is not None, router=Router(Gauge()))
        for manifest in manifests
    ]
    tiers, strategies = common([ladder.names for ladder in ladders]), common([ladder.strategies for ladder in ladders])
    return tiers, [folder.resolve().name for folder in folders], strategies
