"""Interaction tables: who took which item when, validated row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.readers import DataError, csv_records, json_object, parquet_columns, positions, text_lines

# Seconds since 1970 beyond this lie in the year 5138: milliseconds, which would break every rule about days.
_LATEST = 10**11
# What the headers of other people's tables have in their names.
_HINTS = (
    ("user", "uid", "customer", "client", "visitor", "session", "member", "account", "reviewer", "buyer"),
    ("item", "product", "sku", "asin", "article", "iid", "movie", "track", "book", "content"),
    ("time", "date", "when", "ts", "_at", "unix", "day", "moment"),
)


@dataclass(frozen=True)
class Columns:
    """Names of the three columns of an interaction table."""

    user: str = "user_id"
    item: str = "item_id"
    timestamp: str = "timestamp"


@dataclass(frozen=True)
class Interactions:
    """Rows in file order: `users[n]` and `items[n]` index the id lists, `times[n]` is in seconds (UTC)."""

    user_ids: list[str]
    item_ids: list[str]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]


Row = tuple[int, object, object, object]


def read_interactions(path: Path, columns: Columns) -> Interactions:
    """Read `.csv`, `.csv.gz`, `.parquet`, or raw Amazon reviews (`.json`, `.json.gz`).

    Timestamps are seconds since 1970 (whole or decimal) or ISO 8601 text (UTC unless it says otherwise).
    Raises `DataError` for a missing column, an empty id, an unknown time, a damaged archive, no rows at all.
    """
    if is_raw(path):
        return _collect(path, _review_rows(path), "line")
    if path.name.endswith(".parquet"):
        return _collect(path, _parquet_rows(path, columns), "row")
    if path.name.endswith((".csv", ".csv.gz")):
        return _collect(path, _csv_rows(path, columns), "line")
    raise DataError(f"{path}: unknown kind of file, .csv, .csv.gz, .parquet or raw reviews .json.gz expected")


def is_raw(path: Path) -> bool:
    """Whether the file is in the raw Amazon review form, judged by its name."""
    return path.name.endswith((".json", ".json.gz"))


def _collect(path: Path, rows: Iterable[Row], unit: str) -> Interactions:
    user_of: dict[str, int] = {}
    item_of: dict[str, int] = {}
    users: list[int] = []
    items: list[int] = []
    times: list[int] = []
    for line, user, item, when in rows:
        try:
            users.append(user_of.setdefault(_identifier(user, "user"), len(user_of)))
            items.append(item_of.setdefault(_identifier(item, "item"), len(item_of)))
            times.append(_seconds(when))
        except ValueError as error:
            raise DataError(f"{path}, {unit} {line}: {error}") from None
    if not times:
        raise DataError(f"{path}: no interactions in this file")
    as_array = [np.asarray(column, dtype=np.int64) for column in (users, items, times)]
    return Interactions(list(user_of), list(item_of), *as_array)


def _identifier(value: object, what: str) -> str:
    if isinstance(value, str):
        if value and not value.isspace():
            return value
        raise ValueError(f"the {what} id is empty")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"the {what} id is {value!r}, text or a whole number expected")


def _seconds(value: object) -> int:
    if isinstance(value, str):
        text = value.strip()
        number = int(text) if text.isascii() and text.isdigit() else _inexact_seconds(text)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        number = math.floor(value)
    else:
        raise ValueError(f"the timestamp {value!r} is unknown")
    if not 0 <= number < _LATEST:
        raise ValueError(f"the timestamp {value!r} is out of range, seconds since 1970 expected")
    return number


def _inexact_seconds(text: str) -> int:
    try:
        return math.floor(float(text.replace("_", "?")))  # float() takes 1_0 for ten
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the timestamp {text!r} is unknown, seconds since 1970 or ISO 8601 expected") from None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _csv_rows(path: Path, columns: Columns) -> Iterator[Row]:
    records = csv_records(path)
    header = next(records, (0, []))[1]
    user, item, when = _found(path, header, columns)
    for line, row in records:
        yield line, row[user], row[item], row[when]


def _review_rows(path: Path) -> Iterator[Row]:
    """A review whose time is absent or zero (the collection began in 1996) takes that of the one before it."""
    before: object = 0
    for number, line in text_lines(path):
        row = json_object(path, number, line)
        before = row.get("unixReviewTime") or before
        yield number, row.get("reviewerID"), row.get("asin"), before


def _parquet_rows(path: Path, columns: Columns) -> Iterator[Row]:
    table = parquet_columns(path)
    wanted = (columns.user, columns.item, columns.timestamp)
    _found(path, list(table), columns)
    for number, (user, item, when) in enumerate(zip(*(table[name] for name in wanted), strict=True), 1):
        yield number, user, item, when


def _found(path: Path, header: list[str], columns: Columns) -> list[int]:
    """Where the three columns stand; a missing one is told with the names that the header itself suggests."""
    wanted = (columns.user, columns.item, columns.timestamp)
    try:
        return positions(path, header, wanted)
    except DataError as error:
        likely: list[str] = []
        for name, hints in zip(wanted, _HINTS, strict=True):
            free = [column for column in header if column not in likely]
            hinted = [column for column in free if any(hint in column.lower() for hint in hints)]
            likely += [name] if name in free else hinted[:1]
        option = ",".join(likely) if len(likely) == len(wanted) else "USER,ITEM,TIME"
        raise DataError(f"{error}; name yours with --columns {option}") from None
