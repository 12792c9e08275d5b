"""items.jsonl of a bundle: what is read of it, what is refused, how little memory it takes."""

import json
import shutil
from pathlib import Path

import pytest
from tiny import BUNDLE_ITEMS, Bundles

from models.manifest import sha256
from service.engine.bundle import BundleError, load
from service.engine.revision import Change, NewItem, revise
from service.engine.titles import read

ROWS = {f"i{row:03}": row for row in range(1, 51)}


def line(item: str, title: str) -> str:
    return json.dumps({"item_id": item, "title": title}, ensure_ascii=False)


@pytest.fixture
def folder(bundles: Bundles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles.inner, tmp_path / "bundle"))


def give(folder: Path, text: str | bytes) -> None:
    """Titles that the manifest knows."""
    file = folder / "items.jsonl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    path = folder / "manifest.json"
    facts = json.loads(path.read_text("utf-8"))
    facts["files"]["items.jsonl"] = sha256(file)
    path.write_text(json.dumps(facts), "utf-8")


def test_titles_are_those_of_the_file_and_absent_elsewhere(folder: Path) -> None:
    give(folder, "\n".join([line("i007", "Öl, 30 ml"), line("i000", "Soap")]))
    catalogue = load(folder).catalogue
    assert catalogue.titles is not None
    known = {item: catalogue.titles.of(row) for item, row in catalogue.rows.items()}
    assert {item: title for item, title in known.items() if title} == {"i007": "Öl, 30 ml", "i000": "Soap"}
    assert len(known) == BUNDLE_ITEMS


def test_most_bundles_have_none(bundles: Bundles) -> None:
    assert load(bundles.inner).catalogue.titles is None


def test_a_file_that_the_manifest_does_not_list_is_not_read(folder: Path) -> None:
    (folder / "items.jsonl").write_text("nonsense")
    assert load(folder).catalogue.titles is None


def test_changes_of_the_catalogue_keep_them(folder: Path) -> None:
    give(folder, line("i001", "Soap"))
    bundle = revise(load(folder), Change(add=(NewItem("new", like="i002"),), retire=("i001",)))
    titles, rows = bundle.catalogue.titles, bundle.catalogue.rows
    assert titles is not None
    assert titles.of(rows["i001"]) == "Soap"
    assert titles.of(rows["new"]) is None


def test_other_bytes_than_the_manifest_lists_are_refused(folder: Path) -> None:
    give(folder, line("i001", "Soap"))
    (folder / "items.jsonl").write_text(line("i001", "Soup"))
    with pytest.raises(BundleError, match=r"items\.jsonl: damaged or replaced"):
        load(folder)
    (folder / "items.jsonl").unlink()
    with pytest.raises(BundleError, match=r"items\.jsonl: cannot be read"):
        load(folder)


WRONG: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("Soap", "not an object of the form"),
    "a blank line": ("", "not an object of the form"),
    "a list": ('["i001", "Soap"]', "not an object of the form"),
    "a field more": ('{"item_id": "i002", "title": "x", "brand": "y"}', "not an object of the form"),
    "a field less": ('{"item_id": "i002"}', "not an object of the form"),
    "a number": ('{"item_id": "i002", "title": 7}', "must be text"),
    "an empty title": (line("i002", "  "), "must be text, and not empty"),
    "an unknown item": (line("x" * 300, "Soap"), "is not in the catalogue"),
    "an item twice": (line("i001", "Soup"), "item 'i001' has a title already"),
    "half a character": (r'{"item_id": "i002", "title": "\ud800"}', "not UTF-8"),
    "not UTF-8": (b'{"item_id": "i002", "title": "\xff"}', "not an object of the form"),
    "nested too deeply": ("[" * 100_000, "not an object of the form"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_bad_line_is_named(folder: Path, name: str) -> None:
    text, why = WRONG[name]
    wrong = text if isinstance(text, bytes) else text.encode()
    give(folder, line("i001", "Soap").encode() + b"\n" + wrong + b"\n" + line("i003", "Soda").encode())
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert caught.value.detail.startswith(f"{folder / 'items.jsonl'}, line 2: ")
    assert why in caught.value.detail
    assert caught.value.detail.endswith(".")
    assert len(caught.value.detail) < 400


def test_they_take_their_text_and_twelve_bytes_an_item() -> None:
    titles = read((line(item, "Soap").encode() for item in ROWS), ROWS)
    assert titles.text == b"Soap" * 50
    assert titles.start.nbytes + titles.length.nbytes == 12 * 51
