"""promise bench ray: the service on a Ray cluster of two nodes."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE


def ray(
    bundle: Annotated[Path, typer.Option(help="Bundle folder to serve.")] = SHIPPED_BUNDLE,
    rows: Annotated[str, typer.Option(help="Rows to run, separated by commas; absent: all.")] = "",
    tiers: Annotated[str, typer.Option(help="Budgets whose throughput is measured.")] = "k50,k200",
    turns: Annotated[int, typer.Option(help="Turns of one replica and of two.")] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds in a turn.")] = 2,
    requests: Annotated[int, typer.Option(help="Requests of a driver in a round.")] = 300,
    rate: Annotated[float, typer.Option(help="Requests a second beside an upgrade or a loss.")] = 40.0,
    as_json: AsJson = False,
) -> None:
    """One replica and two on nodes of one core: throughput, the same answers, upgrades and losses under load."""
    from loadtest.bench.ray.program import ROWS, Plan, run_ray
    from loadtest.bench.ray.rows import Load
    from loadtest.bench.ray.scale import Plan as Scale

    scale = Scale(turns, rounds, requests, tiers=tuple(names(tiers)))
    plan = Plan(tuple(names(rows) or ROWS), scale, Load(rate=rate))
    result = run_ray(bundle, plan, json_output=as_json)
    raise typer.Exit(0 if result["kept"] else 1)


def add_to(app: typer.Typer, panel: str) -> None:
    """Make it a sub-command of `app`, under this heading of its help."""
    app.command(rich_help_panel=panel)(ray)
