"""Titles of items, kept as the bytes of the file they came from: twelve bytes an item beside the text itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

FIELDS = {"item_id", "title"}
SHOWN = 60  # characters of a wrong id that an error repeats


@dataclass(frozen=True)
class Titles:
    """The title of row r is the UTF-8 text[start[r] : start[r] + length[r]]; int64 and int32 [I+1], length 0 = none."""

    text: bytes
    start: I64
    length: I32

    def of(self, row: int) -> str | None:
        """The title of an item row (1-based); None without one, and for rows that came after the bundle was made."""
        if row >= len(self.length) or not self.length[row]:
            return None
        first = int(self.start[row])
        return self.text[first : first + int(self.length[row])].decode()


def read(lines: Iterable[bytes], rows: Mapping[str, int]) -> Titles:
    """Titles from JSON Lines, each `{"item_id": …, "title": …}`; items without a line have none.

    Raises:
        ValueError: a line of another form, an id that is not in `rows` or comes twice; names the line, from 1.
    """
    text, start, length = bytearray(), np.zeros(len(rows) + 1, np.int64), np.zeros(len(rows) + 1, np.int32)
    for number, line in enumerate(lines, 1):
        try:
            item, title = _parsed(line)
            row = rows.get(item)
            if row is None:
                raise ValueError(f"item {item[:SHOWN]!r} is not in the catalogue")
            if length[row]:
                raise ValueError(f"item {item[:SHOWN]!r} has a title already")
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        start[row], length[row] = len(text), len(title)
        text += title
    return Titles(bytes(text), start, length)


def _parsed(line: bytes) -> tuple[str, bytes]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or set(found) != FIELDS:
        raise ValueError('not an object of the form {"item_id": …, "title": …}')
    item, title = found["item_id"], found["title"]
    if not isinstance(item, str) or not isinstance(title, str) or not title.strip():
        raise ValueError("the item id and the title must be text, and not empty")
    try:
        return item, title.encode()
    except UnicodeEncodeError:
        raise ValueError("the title is not UTF-8") from None
