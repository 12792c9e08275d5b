"""Item features from own tables and raw metadata, and what is said of those that cannot be read."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.features import ItemRecord, read_items
from models.readers import DataError

ITEMS = {"a": ItemRecord(("Body", "Soap & Oil"), "Burt's", "Bar", 1, 0), "c": ItemRecord((), "", "", 3, 2)}


def written(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_item_features_from_json_lines(tmp_path: Path) -> None:
    first = {"item_id": "a", "category": ["Body", "Soap &amp; Oil"], "brand": "Burt&#39;s", "title": " Bar "}
    lines = [first, {"item_id": "b"}, {"item_id": "c", "brand": None}]
    path = written(tmp_path / "own.jsonl", "\n".join(map(json.dumps, lines)))
    table = read_items(path, {"a", "c", "z"})
    assert (table.items, table.records) == (ITEMS, 3)


def test_item_features_from_csv_and_parquet_are_the_same(tmp_path: Path) -> None:
    columns = {"item_id": ["a", "b", "c"], "category": ["Body > Soap & Oil", "", ""], "brand": ["Burt's", "", ""]}
    columns["title"] = ["Bar", "x", ""]
    pq.write_table(pa.table(columns), tmp_path / "own.parquet")
    lines = [",".join(row) for row in [list(columns), *zip(*columns.values(), strict=True)]]
    path = written(tmp_path / "own.csv", "\n".join(lines))
    assert read_items(tmp_path / "own.parquet", {"a", "c"}).items == ITEMS
    from_csv = read_items(path, {"a", "c"}).items
    assert [(r.category, r.brand, r.title) for r in from_csv.values()] == [
        (r.category, r.brand, r.title) for r in ITEMS.values()
    ]
    assert [(r.line, r.position) for r in from_csv.values()] == [(2, 0), (4, 2)]


def test_raw_metadata_takes_the_first_path_and_parses_only_what_is_wanted(tmp_path: Path) -> None:
    whole = {"asin": "a", "title": "It's", "brand": "B", "categories": [["Beauty", "Hair"], ["Other"]], "price": 1.5}
    whole["related"] = {"also_bought": ["x"]}
    lines = [
        repr(whole),
        "{'asin': 'x', 'title': broken but whole}",
        repr({"asin": "c"}),
        repr(whole | {"title": "2nd"}),
    ]
    path = written(tmp_path / "meta_X.json.gz", "\n".join(lines))
    table = read_items(path, {"a", "c"})
    assert table.items == {
        "a": ItemRecord(("Beauty", "Hair"), "B", "It's", 1, 0),
        "c": ItemRecord((), "", "", 3, 2),
    }
    assert table.records == 4


@pytest.mark.parametrize(
    "line",
    [
        "{'asin': 'a', 'title': __import__('os').system('true')}",
        "{'asin': 'a', 'title': 'cut of",
        "{'title': 'no id'}",
        "{'asin': 'a', 'title': 5}",
        "{'asin': 'a', 'categories': [[1]]}",
    ],
)
def test_malformed_metadata_is_named_and_never_evaluated(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "meta_X.json.gz", f"{{'asin': 'b'}}\n{line}\n")
    with pytest.raises(DataError, match=r"meta_X\.json\.gz, line 2: "):
        read_items(path, {"a"})


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"item_id": "a"}', '{"item_id": "a"}'], "line 2: item 'a' was already described in line 1"),
        (['{"item_id": "a"}', '{"id": "b"}'], "line 2: the item id is None"),
        (['{"item_id": "a", "category": {"x": 1}}'], "line 1: category is"),
        (["{"], "line 1: not a JSON object"),
    ],
)
def test_malformed_features_are_named(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(DataError, match=rf"own\.jsonl, {words}"):
        read_items(written(tmp_path / "own.jsonl", "\n".join(lines)), {"a"})


def test_features_of_an_unknown_kind_or_without_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown kind of file"):
        read_items(tmp_path / "own.txt", {"a"})
    with pytest.raises(DataError, match="no column 'item_id' among id, brand"):
        read_items(written(tmp_path / "own.csv", "id,brand\na,b\n"), {"a"})
