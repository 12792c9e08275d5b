"""Item features: category path, brand and title by item id, from own tables or raw Amazon metadata."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.readers import (
    DataError,
    csv_records,
    json_object,
    literal_object,
    parquet_columns,
    positions,
    text_lines,
)

_ASIN = re.compile(r"""['"]asin['"]\s*:\s*['"]([^'"]+)['"]""")

Record = tuple[int, dict[str, Any] | None]


@dataclass(frozen=True)
class ItemRecord:
    """What is known of one item; unknown text is empty.

    `line` is where the file says so (from 1), `position` the zero-based record, so that arrays aligned with the
    file (text embeddings) can be gathered.
    """

    category: tuple[str, ...]
    brand: str
    title: str
    line: int
    position: int


@dataclass(frozen=True)
class ItemTable:
    """The wanted items in file order, and how many records the file holds in all."""

    items: dict[str, ItemRecord]
    records: int


def read_items(path: Path, wanted: Collection[str], *, item_column: str = "item_id") -> ItemTable:
    """Read `.jsonl`, `.csv`, `.csv.gz`, `.parquet`, or raw Amazon metadata (`.json`, `.json.gz`).

    Columns `category` (a list, or text with ` > ` between the levels), `brand` and `title` are optional. HTML
    entities are decoded. Items outside `wanted` are skipped. Raises `DataError` for a malformed record, an empty
    id or an item that appears twice (in raw metadata the first one counts).
    """
    raw = path.name.endswith((".json", ".json.gz"))
    key, rows = ("asin", _raw_records(path, wanted)) if raw else (item_column, _own_records(path, item_column))
    unit = "row" if path.name.endswith(".parquet") else "line"
    items: dict[str, ItemRecord] = {}
    records = 0
    for records, (line, row) in enumerate(rows, 1):
        if row is None:
            continue
        try:
            item = _identifier(row.get(key))
            if item in items and not raw:
                raise ValueError(f"item {item!r} was already described in {unit} {items[item].line}")
            if item in wanted and item not in items:
                items[item] = _record(row, line, records - 1)
        except ValueError as error:
            raise DataError(f"{path}, {unit} {line}: {error}") from None
    return ItemTable(items, records)


def _own_records(path: Path, item_column: str) -> Iterator[Record]:
    if path.name.endswith(".jsonl"):
        return ((line, json_object(path, line, text)) for line, text in text_lines(path))
    if path.name.endswith((".csv", ".csv.gz")):
        return _csv_features(path, item_column)
    if path.name.endswith(".parquet"):
        return _parquet_features(path, item_column)
    raise DataError(f"{path}: unknown kind of file, .jsonl, .csv, .csv.gz, .parquet or metadata .json.gz expected")


def _csv_features(path: Path, item_column: str) -> Iterator[Record]:
    records = csv_records(path)
    header = next(records, (0, []))[1]
    positions(path, header, (item_column,))
    for line, row in records:
        yield line, dict(zip(header, row, strict=True))


def _parquet_features(path: Path, item_column: str) -> Iterator[Record]:
    table = parquet_columns(path)
    positions(path, list(table), (item_column,))
    for number, values in enumerate(zip(*table.values(), strict=True), 1):
        yield number, dict(zip(table, values, strict=True))


def _raw_records(path: Path, wanted: Collection[str]) -> Iterator[Record]:
    """Metadata describes twenty times more items than are ever bought: only the wanted lines are parsed."""
    for number, line in text_lines(path):
        named = _ASIN.search(line)
        if named is None or not line.rstrip().endswith("}"):
            raise DataError(f"{path}, line {number}: not a metadata record with an asin")
        yield number, literal_object(path, number, line) if named[1] in wanted else None


def _identifier(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the item id is {value!r}, text expected")
    return text


def _record(row: dict[str, Any], line: int, position: int) -> ItemRecord:
    return ItemRecord(_category(row), _words(row, "brand"), _words(row, "title"), line, position)


def _words(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, text expected")
    return html.unescape(value).strip()


def _category(row: dict[str, Any]) -> tuple[str, ...]:
    """Own tables carry one path; raw metadata a list of paths under `categories`, the first being the main one."""
    path = row.get("category")
    if path is None:
        paths = row.get("categories") or [[]]
        path = paths[0] if isinstance(paths, list) else paths
    levels = path.split(">") if isinstance(path, str) else path
    if not isinstance(levels, list) or not all(isinstance(level, str) for level in levels):
        raise ValueError(f"category is {path!r}, a list of names or text with ' > ' between them expected")
    return tuple(name for name in (html.unescape(level).strip() for level in levels) if name)
