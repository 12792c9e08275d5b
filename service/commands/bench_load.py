"""promise bench locust, saturation: what the whole service does under load."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE

GATES = "Gates (a broken one ends with exit code 1)"


def add_to(app: typer.Typer, panel: str) -> None:
    """Make these programs sub-commands of `app`, under this heading of its help."""
    for command in (locust, saturation):
        app.command(rich_help_panel=panel)(command)


def _gate(what: str, highest: float | None = None) -> Any:
    """An option that the locustfile has a default for."""
    return typer.Option(metavar="LIMIT", min=0, max=highest, help=what, rich_help_panel=GATES)


def locust(
    bundle: Annotated[Path, typer.Option(help="Bundle that is served, and whose catalogue makes the users.")] = (
        SHIPPED_BUNDLE
    ),
    host: Annotated[str, typer.Option(help="A running service; absent: one of its own, with a Redis.")] = "",
    users: Annotated[int, typer.Option(help="Users of the plateau; three times as many in the burst.")] = 12,
    spawn_rate: Annotated[float, typer.Option(help="How many of them come in a second.")] = 4.0,
    seconds: Annotated[int, typer.Option(help="Length of the whole run.")] = 60,
    shape: Annotated[Literal["waves", "steady"], typer.Option(help="waves: ramp, plateau, burst, calm.")] = "waves",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; absent: runs/loadtest/<time>.")] = None,
    max_failures: Annotated[float | None, _gate("Share of failed requests, 0.01 unless given.", 1)] = None,
    max_shed: Annotated[float | None, _gate("Share of refused requests, 0.2 unless given.", 1)] = None,
    max_degraded: Annotated[float | None, _gate("Share of answers cut short, 0.2 unless given.", 1)] = None,
    max_late: Annotated[float | None, _gate("Share of answers after the caller's deadline.", 1)] = None,
    max_p50_ms: Annotated[float | None, _gate("Median latency.")] = None,
    max_p95_ms: Annotated[float | None, _gate("95th percentile, 500 unless given.")] = None,
    max_p99_ms: Annotated[float | None, _gate("99th percentile, 1000 unless given.")] = None,
    max_p95_ms_of: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MS", help="95th percentile of one scenario, repeatable.", rich_help_panel=GATES),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made users.")] = 0,
    as_json: AsJson = False,
) -> None:
    """A load test by locust: HTML report, CSV, gates, the A/B report of the run."""
    from loadtest.bench.locust_run import Plan, run_locust

    given = {
        "--max-failures": max_failures,
        "--max-shed": max_shed,
        "--max-degraded": max_degraded,
        "--max-late": max_late,
        "--max-p50-ms": max_p50_ms,
        "--max-p95-ms": max_p95_ms,
        "--max-p99-ms": max_p99_ms,
    }
    gates = [str(part) for name, value in given.items() if value is not None for part in (name, value)]
    gates += [part for one in max_p95_ms_of or () for part in ("--max-p95-ms-of", one)]
    plan = Plan(users, spawn_rate, seconds, shape, gates=tuple(gates), seed=seed)
    result = run_locust(bundle, plan, host, out, as_json)
    raise typer.Exit(result["verdict"]["exit_code"])


def saturation(
    bundle: Annotated[Path, typer.Option(help="Bundle folder to serve.")] = SHIPPED_BUNDLE,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Its test users ask and quality is measured; absent: made users, expected quality."),
    ] = None,
    modes: Annotated[str, typer.Option(help="Budgets, separated by commas: the adaptive one, its rival, others.")] = (
        "auto,k50,floor"
    ),
    factors: Annotated[str, typer.Option(help="Offered loads in capacities, by commas; absent: 0.25 to 4.")] = "",
    seconds: Annotated[float, typer.Option(help="Seconds of every run.")] = 5.0,
    repeats: Annotated[int, typer.Option(help="Runs of every mode at every load.")] = 3,
    deadline_ms: Annotated[float, typer.Option(help="X-Request-Timeout-Ms of every request.")] = 250.0,
    places: Annotated[int, typer.Option(help="PROMISE_MAX_CONCURRENT of the service; absent: its default.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where to draw it, .svg or .png.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of users and arrivals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """0.25 to 4 times the capacity: latency, goodput, tiers, measured quality; adaptive and not."""
    from loadtest.bench.saturation import FACTORS, Plan, run_saturation
    from loadtest.bench.venvs import BenchError

    try:
        loads = tuple(map(float, names(factors))) or FACTORS
    except ValueError:
        raise BenchError(f"{factors!r} are no loads such as 0.5,1,2") from None
    budgets = tuple(names(modes))
    plan = Plan(seconds, deadline_ms=deadline_ms, modes=budgets, repeats=repeats, factors=loads, places=places)
    run_saturation(bundle, plan, data_dir, figure, seed, json_output=as_json)
