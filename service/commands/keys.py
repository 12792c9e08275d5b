"""promise keys: make an API key, check the file that lists them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands.options import AsJson
from service.commands.output import plain, show_json, show_table, verdict
from service.errors import KeysError

if TYPE_CHECKING:
    from service.api.callers import Key

EPILOG = """Example: promise keys new shop --rate 50 >> keys.yaml

The key itself is shown once, on standard error; the file and the service know its digest only."""

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make an API key, or check the file that lists them.

    PROMISE_API_KEYS names that file; the service reads it anew when it changes.
    """


@app.command(epilog=EPILOG)
def new(
    name: Annotated[str, typer.Argument(help="Who it is for: letters, digits, dot, dash, underscore.")],
    rate: Annotated[float | None, typer.Option(help="Requests a second on average; absent: no limit.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests at once; absent: one second's worth.")] = None,
    per_day: Annotated[int | None, typer.Option(help="Requests a day; absent: no limit.")] = None,
    may_override: Annotated[
        bool, typer.Option("--may-override", help="May choose bucket, tier, strategy and explain.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and the lines that let it in, to be appended to the keys file."""
    import yaml

    from service.api.keys_file import digest, new_key, parse

    key = new_key()
    given = {"rate": rate, "burst": burst, "per_day": per_day, "may_override": may_override or None}
    entry: dict[str, Any] = {"name": name, "sha256": digest(key.encode()).hex()}
    entry |= {field: value for field, value in given.items() if value is not None}
    lines = yaml.safe_dump([entry], sort_keys=False)
    parse(lines.encode())
    if as_json:
        show_json({"key": key, "entry": entry})
        return
    typer.echo(f"The key, which nobody can show again: {key}", err=True)
    typer.echo(lines, nl=False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The keys file.")],
    as_json: AsJson = False,
) -> None:
    """Check a keys file and list who may ask, and how often."""
    from service.api.live_keys import LiveKeys

    with verdict(as_json, KeysError):
        found = LiveKeys(file).keys
    if as_json:
        show_json({"ok": True, "keys": [_plain(key) for key in found]})
        return
    head = ["name", "a second", "at once", "a day", "overrides"]
    show_table(head, [[_shown(value) for value in _plain(key).values()] for key in found])


def _plain(key: "Key") -> dict[str, Any]:
    """What a person may know of a key."""
    return {
        "name": key.name,
        "rate": key.rate,
        "burst": key.burst if key.rate else None,
        "per_day": key.per_day,
        "may_override": key.may_override,
    }


def _shown(value: Any) -> str:
    return "no limit" if value is None else plain(value)
