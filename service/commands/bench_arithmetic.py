"""promise bench arithmetic: from one core to a billion requests a day."""

from typing import Annotated

import typer

from service.commands.options import AsJson


def add_to(app: typer.Typer, panel: str) -> None:
    """Make it a sub-command of `app`, under this heading of its help."""
    app.command(rich_help_panel=panel)(arithmetic)


def arithmetic(
    given: Annotated[
        list[str] | None, typer.Option("--set", help="An input of yours, NAME=VALUE; more than one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Cores, memory, Redis, logs and dollars for a billion requests a day, from measured figures and estimates."""
    from loadtest.bench.arithmetic import run_arithmetic

    run_arithmetic(given or (), as_json)
