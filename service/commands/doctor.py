"""promise doctor: whether this machine can serve what the settings ask for."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import AsJson
from service.commands.output import show_json

if TYPE_CHECKING:
    from service.commands.doctor_checks import Check

EPILOG = """Reads the same PROMISE_ variables as the service.

Exit code 1: the service would not start, or Redis would not answer."""
COLOURS = MappingProxyType({"ok": "green", "note": "yellow", "wrong": "red"})

app = typer.Typer()


@app.command(epilog=EPILOG)
def doctor(
    port: Annotated[int | None, typer.Option(help="Port to look at; else PROMISE_PORT, else 8000.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check that this machine can serve: packages, bundle, device, Redis, port."""
    from service.commands.doctor_checks import checkup

    found = checkup({} if port is None else {"port": port})
    ok = all(one.state != "wrong" for one in found)
    if as_json:
        show_json({"ok": ok, "checks": [one._asdict() for one in found]})
    else:
        _show(found)
    if not ok:
        raise typer.Exit(1)


def _show(found: "list[Check]") -> None:
    widest = max(len(one.name) for one in found)
    for one in found:
        typer.echo(f"{typer.style(f'{one.state:5}', fg=COLOURS[one.state])}  {one.name:{widest}}  {one.detail}")
