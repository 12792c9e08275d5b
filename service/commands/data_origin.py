"""Where the data of a run lies: noted by `promise train`, so that later commands need not be told again."""

import json
from pathlib import Path
from typing import NamedTuple

from service.errors import StartError

NOTE = "data.json"


class Origin(NamedTuple):
    """How a dataset is read: a name or a file, the folder of names, its columns, its k-core."""

    source: str
    data_dir: str
    columns: str
    k_core: int


def note(run: Path, origin: Origin) -> None:
    """Keep it in the run folder; files by their whole path."""
    here = Path(origin.source)
    whole = origin._replace(
        source=str(here.resolve()) if here.exists() else origin.source, data_dir=str(Path(origin.data_dir).resolve())
    )
    run.mkdir(parents=True, exist_ok=True)
    (run / NOTE).write_text(json.dumps(whole._asdict(), indent=1) + "\n")


def noted(bundle: Path) -> Origin | None:
    """Of the run that a bundle still lies in; None for a bundle that was taken elsewhere.

    Raises:
        StartError: the note was changed by hand, or cut.
    """
    file = bundle.resolve().parent / NOTE
    if not file.is_file():
        return None
    try:
        return Origin(**json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise StartError(
            f"{file} is not what `promise train` wrote; delete it, and name the data by --dataset."
        ) from None


def origin_of(bundle: Path, dataset: str, data_dir: Path, columns: str, k_core: int) -> Origin:
    """What was asked for; where nothing names the data, what its run noted."""
    return (None if dataset else noted(bundle)) or Origin(dataset, str(data_dir), columns, k_core)
