"""Rows out of files: CSV, JSON Lines, Parquet, and the Python literals of raw Amazon 2014 metadata.

Everything that breaks while a file is read becomes a `DataError`: one sentence naming the file, and the line
(`row` for Parquet, which has no lines).
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


class DataError(ValueError):
    """Input data that cannot be used; the message is one sentence naming the file (and line)."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open plain or gzipped UTF-8 text; whatever breaks while it is read names the file."""
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
                yield stream
        else:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip file ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Non-blank lines with their numbers, the first being 1."""
    with open_text(path) as stream:
        number = 0
        try:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, line
        except UnicodeDecodeError:
            raise DataError(f"{path}: not UTF-8 text after line {number}") from None


def csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Header first, then every non-empty row of the header's width."""
    with open_text(path) as stream:
        reader = csv.reader(stream, strict=True)
        width = 0
        try:
            for row in reader:
                if not row:
                    continue
                width = width or len(row)
                if len(row) != width:
                    raise DataError(f"{path}, line {reader.line_num}: {len(row)} fields, {width} expected")
                yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from None
        except UnicodeDecodeError:
            raise DataError(f"{path}: not UTF-8 text after line {reader.line_num}") from None


def positions(path: Path, header: list[str], wanted: tuple[str, ...]) -> list[int]:
    """Where the wanted columns stand in the header; `DataError` naming the first that is missing."""
    for name in wanted:
        if name not in header:
            raise DataError(f"{path}: no column {name!r} among {', '.join(header) or 'none at all'}")
    return [header.index(name) for name in wanted]


def json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    """Parse one line of JSON Lines."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise DataError(f"{path}, line {number}: not a JSON object") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: not a JSON object")
    return row


def literal_object(path: Path, number: int, line: str) -> dict[str, Any]:
    """Parse one line of raw Amazon metadata: a Python literal, read without evaluating anything."""
    try:
        row = ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise DataError(f"{path}, line {number}: not a Python literal") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: not a Python dictionary")
    return row


def parquet_columns(path: Path) -> dict[str, list[Any]]:
    """All columns of a Parquet file as Python values; timestamps and dates as whole seconds (UTC)."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(f"{path}: reading Parquet needs pyarrow, which the train extra installs") from None
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    values = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        values[name] = column.to_pylist()
    return values
