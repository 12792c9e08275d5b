"""promise bench flood: the service overrun in every way that we know."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE


def add_to(app: typer.Typer, panel: str) -> None:
    """Make it a sub-command of `app`, under this heading of its help."""
    app.command(rich_help_panel=panel)(flood)


def flood(
    bundle: Annotated[Path, typer.Option(help="Bundle folder to serve.")] = SHIPPED_BUNDLE,
    rows: Annotated[str, typer.Option(help="Rows to run, separated by commas; absent: all.")] = "",
    seconds: Annotated[float, typer.Option(help="Seconds of every load and attack; some need more.")] = 5.0,
    rounds: Annotated[int, typer.Option(help="How often the loads of the overload take turns.")] = 3,
    deadline_ms: Annotated[float, typer.Option(help="X-Request-Timeout-Ms of every honest request.")] = 250.0,
    seed: Annotated[int, typer.Option(help="Seed of users and arrivals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """10 times the capacity, a herd after a restart, slow-loris, 5 MB bodies, 10,000 connections: who is served."""
    from loadtest.bench.flood.program import NAMES, Plan, run_flood
    from loadtest.bench.venvs import BenchError

    if rounds < 1 or seconds < 3:
        raise BenchError("a flood needs a round and three seconds")
    plan = Plan(seconds=seconds, rounds=rounds, deadline_ms=deadline_ms)
    result = run_flood(bundle, plan, tuple(names(rows)) or NAMES, seed, json_output=as_json)
    raise typer.Exit(0 if result["kept"] else 1)
