"""How results are shown: tables for people, one JSON value for machines; standard output holds nothing else."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED = 240  # columns where there is no terminal to ask
GUTTER = 2
FRAME = 3  # what a table draws beside a cell


def results() -> Console:
    """Standard output: as wide as the terminal, or wide enough that nothing is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPED)


def show_json(value: Any) -> None:
    """One JSON value and nothing else."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, default=str))


def show_facts(facts: Mapping[str, Any], title: str = "") -> None:
    """Names and values in two columns; a long value goes on below itself."""
    shown = {name: plain(value) for name, value in facts.items()}
    console = Console()
    if not console.is_terminal:
        widest = max(map(len, shown), default=0)
        lines = [title] if title else []
        typer.echo("\n".join([*lines, *(f"{name:{widest}}  {value}" for name, value in shown.items())]))
        return
    if title:
        console.print(title, style="bold", markup=False, highlight=False, soft_wrap=True)
    table = Table.grid(padding=(0, GUTTER))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(Text(name), Text(value))
    console.print(table)


def show_table(head: Sequence[str], cells: Sequence[Sequence[str]], title: str = "", keys: int = 1) -> None:
    """A table; one that is wider than the terminal in parts, each with the first `keys` columns."""
    from models.report import to_rich

    if not cells:
        return
    console = results()
    widths = [max(map(len, column)) + FRAME for column in zip(head, *cells, strict=True)]
    for part in parts(widths, console.width - 1, keys):
        shown = [[line[column] for column in part] for line in cells]
        console.print(to_rich([head[column] for column in part], shown, title=title))


def parts(widths: Sequence[int], room: int, keys: int) -> list[list[int]]:
    """Columns of each part, so that a part with its key columns is no wider than `room` where that can be."""
    first = list(range(keys))
    found, left = [list(first)], room - sum(widths[:keys])
    for column in range(keys, len(widths)):
        if widths[column] > left and len(found[-1]) > keys:
            found.append(list(first))
            left = room - sum(widths[:keys])
        found[-1].append(column)
        left -= widths[column]
    return found


def plain(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return "–" if value is None or value == "" else str(value)


def program() -> str:
    """How whoever called this calls it again."""
    name = Path(sys.argv[0]).name
    found = shutil.which(name)
    if name != "promise" or (found and Path(found).resolve() == Path(sys.argv[0]).resolve()):
        return "promise"
    return sys.argv[0]


@contextmanager
def verdict(as_json: bool, *wrong: type[Exception]) -> Iterator[None]:
    """A check: an error of these types is its answer, not its failure. Exit code 1."""
    try:
        yield
    except wrong as error:
        detail = getattr(error, "detail", str(error))
        if as_json:
            show_json({"ok": False, "detail": detail})
        else:
            typer.echo(detail, err=True)
        raise typer.Exit(1) from None
