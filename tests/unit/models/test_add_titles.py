"""Titles for a finished bundle: written whole, listed in the manifest, replaced by a second call."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import BUNDLE_ITEMS, Bundles

from models.manifest import Manifest, sha256
from models.readers import DataError
from models.titles import Titled, add_titles
from service.engine.bundle import load


@pytest.fixture
def folder(bundles: Bundles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles.inner, tmp_path / "bundle"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    known = {"i003": " Soap\n&amp; oil ", "i001": "Öl \ud800", "elsewhere": "x", "i002": "", "i004": "\ud800"}
    return written(tmp_path, known)


def written(folder: Path, known: dict[str, str]) -> Path:
    path = folder / "items.jsonl"
    path.write_text("\n".join(json.dumps({"item_id": item, "title": title}) for item, title in known.items()))
    return path


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_bytes())


def titles_of(folder: Path) -> dict[str, str | None]:
    catalogue = load(folder).catalogue
    assert catalogue.titles is not None
    return {item: title for item, row in catalogue.rows.items() if (title := catalogue.titles.of(row))}


def test_the_bundle_gets_the_titles_of_its_items(folder: Path, table: Path) -> None:
    before = manifest_of(folder)
    assert add_titles(folder, table) == Titled(items=BUNDLE_ITEMS, titled=2, records=5)
    assert titles_of(folder) == {"i001": "Öl", "i003": "Soap & oil"}
    after = manifest_of(folder)
    assert after.files == before.files | {"items.jsonl": sha256(folder / "items.jsonl")}
    assert after.model_copy(update={"files": before.files}) == before
    assert not list(folder.glob("*partial*"))


def test_a_second_call_replaces_them(folder: Path, table: Path) -> None:
    add_titles(folder, table)
    add_titles(folder, written(table.parent, {"i009": "Soda"}))
    assert titles_of(folder) == {"i009": "Soda"}


def test_a_csv_with_a_column_of_another_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("sku,title\ni005,Comb\n")
    assert add_titles(folder, tmp_path / "own.csv", item_column="sku").titled == 1
    with pytest.raises(DataError, match="item_id"):
        add_titles(folder, tmp_path / "own.csv")


@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_whatever_breaks_leaves_a_bundle_that_loads(
    folder: Path, table: Path, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    """A full disk at each of the three writes of a second call."""
    add_titles(folder, table)
    calls, replace = list[Any](), os.replace

    def breaking(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == fatal:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", breaking)
    with pytest.raises(DataError, match=r"cannot be written \(No space left"):
        add_titles(folder, written(table.parent, {"i009": "Soda"}))
    assert load(folder).catalogue.ids[0] == "i000"
    assert not list(folder.glob("*partial*"))


def test_what_is_no_bundle_or_has_no_title_is_said_in_a_sentence(folder: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/manifest\.json: cannot be read"):
        add_titles(tmp_path / "nowhere", table)
    with pytest.raises(DataError, match="has no title for any of the"):
        add_titles(folder, written(tmp_path, {"elsewhere": "Soap"}))
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(DataError, match="line 1"):
        add_titles(folder, tmp_path / "bad.jsonl")
    (folder / "catalogue.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"catalogue\.npz: not a readable catalogue"):
        add_titles(folder, table)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"manifest\.json: name: Field required"):
        add_titles(folder, table)


def test_it_needs_no_extra() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.modules['pyarrow'] = None; import models.titles"
    subprocess.run([sys.executable, "-c", code], check=True)
