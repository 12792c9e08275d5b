"""Which files make up a dataset: a name in a data folder, a folder, or one file of the reader's own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from models.readers import DataError

# Names of the Amazon 2014 categories by the short names used in the literature.
AMAZON = MappingProxyType({"beauty": "Beauty", "sports": "Sports_and_Outdoors", "toys": "Toys_and_Games"})

_REVIEWS = "reviews_{}_5.json.gz"
_METADATA = "meta_{}.json.gz"
_INTERACTIONS = tuple(f".interactions{suffix}" for suffix in (".csv.gz", ".csv", ".parquet"))
_ITEMS = tuple(f".items{suffix}" for suffix in (".jsonl", ".csv", ".csv.gz", ".parquet"))
_EMBEDDINGS = ".text_embeddings.npy"


@dataclass(frozen=True)
class Sources:
    """The files of one dataset; `embeddings` is aligned with the records of `items`."""

    name: str
    interactions: Path
    items: Path | None = None
    embeddings: Path | None = None


def raw_files(name: str) -> tuple[str, str]:
    """File names of the public 5-core reviews and of the metadata of an Amazon 2014 category."""
    category = AMAZON.get(name.lower(), name)
    return _REVIEWS.format(category), _METADATA.format(category)


def find(name_or_path: str, data_dir: Path | None) -> Sources:
    """Resolve a dataset name (inside `data_dir`), a folder holding one dataset, or an interaction file.

    Raises `DataError` naming what was looked for when nothing fits, or when a folder holds several datasets.
    """
    path = Path(name_or_path)
    named = data_dir is not None and path.name == name_or_path and not path.suffix
    if named and data_dir is not None and (sources := _by_name(name_or_path, data_dir)):
        return sources
    if path.is_file():
        return _from_file(path)
    if path.is_dir():
        return _from_folder(path)
    if not named or data_dir is None:
        nowhere = ", and no data folder to look the name up in" if data_dir is None else ""
        raise DataError(f"{name_or_path}: no such file or folder{nowhere}{_nearest(path.name, _files(path.parent))}")
    if not data_dir.is_dir():
        raise DataError(
            f"{data_dir}: no such folder to look {name_or_path!r} up in; name it with --data-dir, name a file of your "
            f"own, or download with `promise data fetch beauty --folder data`"
        )
    raise DataError(
        f"{data_dir}: neither {name_or_path}{_INTERACTIONS[0]} nor {raw_files(name_or_path)[0]} is in this folder"
        f"{_nearest(name_or_path, sorted(filter(None, map(_dataset_name, data_dir.iterdir()))))}"
    )


def _nearest(name: str, known: list[str]) -> str:
    """A question after a mistyped name; nothing where no known one is like it."""
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _by_name(name: str, folder: Path) -> Sources | None:
    short = name.lower() if name.lower() in AMAZON else name
    interactions = _first(folder, short, _INTERACTIONS) or _existing(folder / raw_files(short)[0])
    return _with_neighbours(short, interactions) if interactions else None


def _with_neighbours(name: str, interactions: Path) -> Sources:
    folder = interactions.parent
    items = _first(folder, name, _ITEMS) or _existing(folder / raw_files(name)[1])
    return Sources(name, interactions, items, _existing(folder / f"{name}{_EMBEDDINGS}"))


def _from_file(path: Path) -> Sources:
    """A file named like one of a data folder brings its neighbours along; any other stands alone."""
    name = _dataset_name(path)
    return _with_neighbours(name, path) if name else Sources(path.name.split(".")[0], path)


def _from_folder(folder: Path) -> Sources:
    names = sorted({name for path in folder.iterdir() if (name := _dataset_name(path))})
    if len(names) != 1:
        found = f"several datasets ({', '.join(names)})" if names else "no interactions and no raw reviews"
        raise DataError(f"{folder}: {found} in this folder, name one dataset or file")
    sources = _by_name(names[0], folder)
    assert sources is not None
    return sources


def _dataset_name(path: Path) -> str | None:
    for ending in _INTERACTIONS:
        if path.name.endswith(ending):
            return path.name.removesuffix(ending)
    start, end = _REVIEWS.split("{}")
    if not (path.name.startswith(start) and path.name.endswith(end)):
        return None
    category = path.name.removeprefix(start).removesuffix(end)
    return next((short for short, full in AMAZON.items() if full == category), category)


def _first(folder: Path, name: str, endings: tuple[str, ...]) -> Path | None:
    return next((path for ending in endings if (path := folder / f"{name}{ending}").is_file()), None)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
