"""promise data …: fetch, check and describe a dataset."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Fetch, check or describe a dataset.")

Source = Annotated[
    str, typer.Argument(help="beauty, sports, or the path of a CSV, Parquet or raw Amazon file or folder.")
]
DataDir = Annotated[Path, typer.Option(help="Folder of the built-in datasets.")]
KCore = Annotated[int, typer.Option(help="Remove users and items with fewer interactions, until none is left.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_DATA = Path("../shared/data")


@app.command()
def fetch(name: str, folder: Path = Path("data")) -> None:
    """Fetch the public raw files of an Amazon 2014 category; interrupted downloads resume."""
    from models.fetch import AMAZON_2014, fetch, progress_bar

    with progress_bar() as progress:
        reports = fetch(name, folder, AMAZON_2014, progress=progress)
    table = Table("file", "bytes", "sha256", "how")
    for report in reports:
        table.add_row(str(report.path), f"{report.bytes:,}", report.sha256, report.status)
    Console().print(table)


@app.command()
def check(source: Source, data_dir: DataDir = DEFAULT_DATA, k_core: KCore = 0) -> None:
    """Read every row; the first malformed one is named with its file and line."""
    from models.data import load

    dataset = load(source, data_dir, k_core=k_core)
    typer.echo(
        f"{dataset.name}: {len(dataset.users):,} users, {len(dataset.items.ids):,} items, digest {dataset.digest}."
    )


@app.command()
def describe(source: Source, data_dir: DataDir = DEFAULT_DATA, k_core: KCore = 0, as_json: AsJson = False) -> None:
    """Sizes, sequence lengths, the same-day order leak, features."""
    from models.data import describe, load

    show(describe(load(source, data_dir, k_core=k_core)), source, as_json)


def show(facts: dict[str, Any], title: str, as_json: bool) -> None:
    """Facts as a two-column table, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table("fact", "value", title=title)
    for name, value in facts.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
