"""promise study: ideas compared with each other, most of them an arm each, on validation users."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service.commands.data import DEFAULT_DATA, AsJson, DataDir

if TYPE_CHECKING:
    from models.dataset import Dataset

app = typer.Typer()

WIDE = 240  # columns where there is no terminal to ask


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="Which study: prm, tokens, labels, cold or votes.")],
    dataset: Annotated[str, typer.Option(help="Dataset the arms are trained on.")] = "beauty",
    data_dir: DataDir = DEFAULT_DATA,
    out: Annotated[Path, typer.Option(help="Folder of all studies; what it holds is not done again.")] = Path(
        "runs/study"
    ),
    arms: Annotated[str, typer.Option(help="Arms to run and show, comma separated; default: all.")] = "",
    users: Annotated[int, typer.Option(help="Validation users judged, a seeded sample; 0 = all.")] = 0,
    trained: Annotated[
        Path, typer.Option(help="Finished run whose network gets votes; for the study of that name.")
    ] = Path("runs/best/beauty-0"),
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = all.")] = 1,
    markdown: Annotated[Path | None, typer.Option(help="Write the table into this file's section.")] = None,
    section: Annotated[str, typer.Option(help="Name of the section; default: study-<name>.")] = "",
    as_json: AsJson = False,
) -> None:
    """Train, judge and compare the arms of a study in setting A; a second call goes on where the first was cut."""
    from models import report
    from models import study as studies
    from models.data import load
    from models.study.known import COLD, VOTES, arms_of
    from models.training import use_threads

    use_threads(threads)
    section = section or f"study-{name}"
    if name == COLD:
        _cold(load(dataset, data_dir), out, markdown, section)
        return
    if name == VOTES:
        _votes(load(dataset, data_dir), trained, out, users, markdown, section)
        return
    wanted, only = arms_of(name), [part.strip() for part in arms.split(",") if part.strip()]
    found = studies.study(name, wanted, load(dataset, data_dir), out, _say(), users=users, only=only)
    head, cells = studies.rows(found)
    if markdown:
        report.write_section(markdown, section, studies.page(found))
    if as_json:
        typer.echo(json.dumps([dict(zip(head, line, strict=True)) for line in cells]))
        return
    console = Console(width=WIDE) if not sys.stdout.isatty() else Console()
    console.print(report.to_rich(head, cells))


def _cold(dataset: "Dataset", out: Path, markdown: Path | None, section: str) -> None:
    """The study of cold items, which has ways of looking instead of arms."""
    from models import report
    from models.study import cold

    page = cold.page(cold.run(dataset, out, _say()))
    if markdown:
        report.write_section(markdown, section, page)
    typer.echo(page)


def _votes(dataset: "Dataset", trained: Path, out: Path, users: int, markdown: Path | None, section: str) -> None:
    """The study of votes, which looks at one finished network."""
    from models import report
    from models.votes import study, tables

    page = tables.page(study.run(dataset, trained, out / study.NAME / trained.name, _say(), users))
    if markdown:
        report.write_section(markdown, section, page)
    typer.echo(page)


def _say() -> Callable[[str], None]:
    console, start = Console(stderr=True, highlight=False, width=200), time.monotonic()
    return lambda line: console.print(f"[{(time.monotonic() - start) / 60:5.1f} min] {line}", markup=False)
