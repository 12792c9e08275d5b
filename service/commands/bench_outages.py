"""promise bench outages: real parts broken one at a time and in pairs, under load."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE


def add_to(app: typer.Typer, panel: str) -> None:
    """The command as one of `promise bench`."""
    app.command(rich_help_panel=panel)(outages)


def outages(
    bundle: Annotated[Path, typer.Option(help="Bundle folder to serve.")] = SHIPPED_BUNDLE,
    rows: Annotated[str, typer.Option(help="Rows to run, separated by commas; absent: all.")] = "",
    healthy_s: Annotated[float, typer.Option(help="Seconds before the fault.")] = 2.0,
    fault_s: Annotated[float, typer.Option(help="Seconds of the fault.")] = 3.0,
    after_s: Annotated[float, typer.Option(help="Seconds after it.")] = 4.0,
    rate: Annotated[float, typer.Option(help="Requests a second, a quarter of them events.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the made users.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Break replicas, Redis, disk, clock, names, memory, bundles: failed, wrong, lost, recovery; exit 1 if not kept."""
    from loadtest.bench.outages.load import Load
    from loadtest.bench.outages.program import Plan, run_outages
    from loadtest.bench.outages.table import ROWS

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # all that was started ends with it
    plan = Plan(healthy_s, fault_s, after_s, Load(rate))
    if not run_outages(bundle, plan, tuple(names(rows) or ROWS), seed, json_output=as_json)["kept"]:
        raise typer.Exit(1)
