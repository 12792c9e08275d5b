"""Titles for a finished bundle: items.jsonl beside its graphs, for people who look at recommendations."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from models import contract
from models.features import read_items
from models.manifest import Manifest, sha256
from models.readers import DataError
from models.staging import replaced


@dataclass(frozen=True)
class Titled:
    """What came of it: items of the bundle, those among them that have a title now, records of the table."""

    items: int
    titled: int
    records: int


def add_titles(bundle: Path, table: Path, *, item_column: str = "item_id") -> Titled:
    """Write the titles that the items table knows into the bundle folder; titles it had are replaced.

    The table is any that training reads (models.features.read_items); items it does not describe stay without. The
    version stays: titles change nothing that is computed, so encodings kept under it remain right. The manifest lists
    the new file. It never lists a file that is not there or is another: old titles leave it first, new ones come last.

    Raises:
        DataError: the folder holds no bundle, or it cannot be written; the table cannot be read or has no title for
            any item of the bundle.
    """
    manifest, ids = _manifest(bundle), _ids(bundle)
    found = read_items(table, set(ids), item_column=item_column)
    titles = {item: _one_line(record.title) for item, record in found.items.items()}
    lines = [(item, titles[item]) for item in ids if titles.get(item)]
    if not lines:
        raise DataError(f"{table}: has no title for any of the {len(ids)} items of {bundle}")
    try:
        _write(bundle, manifest, lines)
    except OSError as error:
        raise DataError(f"{bundle}: cannot be written ({error.strerror or error})") from None
    return Titled(len(ids), len(lines), found.records)


def _manifest(bundle: Path) -> Manifest:
    file = bundle / contract.MANIFEST
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); a bundle folder is needed") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{file}: {'.'.join(map(str, first['loc'])) or 'the document'}: {first['msg']}") from None


def _ids(bundle: Path) -> list[str]:
    file = bundle / contract.CATALOGUE
    try:
        with np.load(file, allow_pickle=False) as stored:
            return list(map(str, stored["ids"]))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file}: not a readable catalogue ({error})") from None


def _one_line(title: str) -> str:
    """Without breaks, and without half characters, which JSON may hold and UTF-8 cannot."""
    return " ".join(title.encode("utf-8", "ignore").decode().split())


def _write(bundle: Path, manifest: Manifest, lines: Sequence[tuple[str, str]]) -> None:
    text = "".join(json.dumps({"item_id": item, "title": title}, ensure_ascii=False) + "\n" for item, title in lines)
    others = {name: digest for name, digest in manifest.files.items() if name != contract.TITLES}
    if contract.TITLES in manifest.files:
        _describe(bundle, manifest, others)
    with replaced(bundle / contract.TITLES) as partial:
        partial.write_text(text, "utf-8")
    _describe(bundle, manifest, others | {contract.TITLES: sha256(bundle / contract.TITLES)})


def _describe(bundle: Path, manifest: Manifest, files: dict[str, str]) -> None:
    described = manifest.model_copy(update={"files": files})
    with replaced(bundle / contract.MANIFEST) as partial:
        partial.write_text(described.model_dump_json(indent=1) + "\n")
