"""promise data …: fetch, check and describe a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import (
    DEFAULT_COLUMNS,
    DEFAULT_DATA,
    AsJson,
    DataDir,
    Headers,
    KCore,
    Quiet,
    Source,
    headers,
)
from service.commands.output import program, show_facts, show_json, verdict
from service.commands.progress import watched

if TYPE_CHECKING:
    from models.dataset import Dataset

EPILOG = """Examples:

promise data check shop.csv --columns customer,sku,bought_at

promise data describe beauty --json

promise data fetch beauty --folder data"""

app = typer.Typer(no_args_is_help=True, help="Fetch, check or describe a dataset.", epilog=EPILOG)

FEATURES = ("items_with_category", "items_with_brand", "items_with_title", "text_dimensions")
FEW_USERS = 50


@app.callback()
def data() -> None:
    """Fetch, check or describe a dataset."""


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="beauty, sports, toys, or the collection's own name of a category.")],
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = Path("data"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the public raw files of an Amazon 2014 category; interrupted downloads go on."""
    from models.fetch import AMAZON_2014, fetch

    with watched(quiet, resumes=True) as watch:
        reports = fetch(name, folder, AMAZON_2014, progress=lambda file, done, of: watch.at(file, done, of or 0))
    if as_json:
        show_json([vars(report) for report in reports])
        return
    for report in reports:
        facts = {"bytes": report.bytes, "sha256": report.sha256, "how": report.status}
        show_facts(facts, str(report.path))
    typer.echo(f"Next:  {program()} train {name} --data-dir {folder}")


@app.command()
def check(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    as_json: AsJson = False,
) -> None:
    """Read every row; the first malformed one is named with its file and line."""
    from models.data import DataError, describe, load
    from models.sources import find

    names = headers(columns)
    sources = find(source, data_dir)
    with verdict(as_json, DataError):
        dataset = load(source, data_dir, k_core=k_core, columns=names)
    warn_if_few(dataset)
    described = describe(dataset)
    facts = {
        "name": dataset.name,
        "users": len(dataset.users),
        "items": len(dataset.items.ids),
        "rows": sum(map(len, dataset.sequences)),
        "items table": sources.items and str(sources.items),
        **{name: described[name] for name in FEATURES if sources.items},
        "digest": dataset.digest,
    }
    if as_json:
        show_json({"ok": True, **facts})
        return
    show_facts(facts, f"{source} is in order.")
    typer.echo(f"Next:  {program()} train {source}{_options(data_dir, columns, k_core)}")


@app.command()
def describe(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    as_json: AsJson = False,
) -> None:
    """Sizes, sequence lengths, the same-day order leak, features."""
    from models.data import describe, load

    facts = describe(load(source, data_dir, k_core=k_core, columns=headers(columns)))
    if as_json:
        show_json(facts)
        return
    show_facts(facts, source)


def warn_if_few(dataset: "Dataset") -> None:
    """A sentence on standard error about data that nothing can be learned from; it can still be tried."""
    users, rows = len(dataset.users), sum(map(len, dataset.sequences))
    if users < FEW_USERS:
        some = f"{rows} interactions of {users} {'user' if users == 1 else 'users'}"
        typer.echo(f"Only {some}: enough to try the commands, too few to learn from or to judge by.", err=True)


def _options(data_dir: Path, columns: str, k_core: int) -> str:
    """By which another command reads the same data."""
    options = [f"--data-dir {data_dir}" if data_dir != DEFAULT_DATA else ""]
    options += [f"--columns {columns}" if columns != DEFAULT_COLUMNS else "", f"--k-core {k_core}" if k_core else ""]
    return "".join(f" {option}" for option in options if option)
