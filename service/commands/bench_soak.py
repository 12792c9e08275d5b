"""promise bench soak: an hour of mixed load on a service that an operator keeps changing."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import AsJson
from service.settings import SHIPPED_BUNDLE


def soak(
    bundle: Annotated[Path, typer.Option(help="Bundle folder to serve.")] = SHIPPED_BUNDLE,
    minutes: Annotated[float, typer.Option(help="Minutes that are judged.")] = 60.0,
    warm_minutes: Annotated[float, typer.Option(help="Minutes of load before them.")] = 6.0,
    load: Annotated[float, typer.Option(help="Offered load, as a share of the capacity.")] = 0.7,
    capacity: Annotated[float, typer.Option(help="Calls a second; absent: measured at the start.")] = 0.0,
    every: Annotated[float, typer.Option(help="Seconds between two changes by the operator.")] = 12.0,
    look: Annotated[float, typer.Option(help="Seconds between two samples.")] = 5.0,
    fill: Annotated[int, typer.Option(help="Users, and votes, that come before the load.")] = 100_000,
    out: Annotated[
        Path | None, typer.Option(help="Folder of samples, chart and result; absent: runs/soak/<time>.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made users and arrivals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Mixed load for an hour with reloads, edits and Redis killed: failures, memory, handles."""
    from loadtest.bench.soak.plan import Plan
    from loadtest.bench.soak.program import run_soak

    plan = Plan(minutes, warm_minutes, load, every, look, fill=fill, capacity=capacity)
    result = run_soak(bundle, plan, out, seed, json_output=as_json)
    raise typer.Exit(0 if result["kept"] else 1)


def add_to(app: typer.Typer, panel: str) -> None:
    """Make it a sub-command of `app`, under this heading of its help."""
    app.command(rich_help_panel=panel)(soak)
