"""Options that several commands have, and what their texts mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.interactions import Columns

DEFAULT_DATA = Path("../shared/data")
DEFAULT_COLUMNS = "user_id,item_id,timestamp"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of tables.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A CSV or Parquet file, a folder, or a name in the data folder: beauty, sports."
    ),
]
DatasetName = Annotated[
    str,
    typer.Option(metavar="DATA", help="Where the data lies.", show_default="as its run noted", rich_help_panel="Data"),
]
DataDir = Annotated[Path, typer.Option(help="Folder in which names are looked up.", rich_help_panel="Data")]
KCore = Annotated[
    int,
    typer.Option(min=0, help="Drop users and items with fewer rows, until none is left.", rich_help_panel="Data"),
]
Headers = Annotated[
    str,
    typer.Option(
        "--columns", metavar="USER,ITEM,TIME", help="Names of the three columns in the file.", rich_help_panel="Data"
    ),
]


def names(text: str) -> list[str]:
    """The parts of a comma-separated option; none of an empty one."""
    return [part.strip() for part in text.split(",") if part.strip()]


def headers(text: str) -> "Columns":
    """The three columns of an interaction table, by their names in the header."""
    from models.interactions import Columns

    three = [part.strip() for part in text.split(",")]
    if len(three) != 3 or not all(three):
        raise typer.BadParameter(f"{text!r} is not three names, as in {DEFAULT_COLUMNS}", param_hint="'--columns'")
    return Columns(*three)
