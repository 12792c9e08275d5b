"""The learned rows that graphs read, and how all revisions of a bundle share them."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.search.trie import Trie

I32 = NDArray[np.int32]
F16 = NDArray[np.float16]
F32 = NDArray[np.float32]

SPARE = 16  # room for one row more in so many


class Room:
    """A table [R, D] with room behind it, so that growing copies nothing until that is used up.

    Views that were handed out keep their rows. What two revisions of one bundle append goes to different places.
    """

    def __init__(self, rows: NDArray[np.floating[Any]]) -> None:
        self._lock = Lock()
        self._used = len(rows)
        self._buffer = _roomy(rows)

    @property
    def rows(self) -> F16:
        """All rows so far."""
        return self._buffer[: self._used]

    def append(self, rows: NDArray[np.floating[Any]]) -> tuple[F16, int]:
        """Round these rows to f16 and put them last: the whole table, and the place of the first of them."""
        with self._lock:
            first, end = self._used, self._used + len(rows)
            if end > len(self._buffer):
                self._buffer = _roomy(self._buffer[:first], len(rows))
            self._buffer[first:end] = rows
            self._used = end
            return self.rows, first


def _roomy(rows: NDArray[np.floating[Any]], more: int = 0) -> F16:
    size = len(rows) + more
    buffer = np.empty((size + size // SPARE, rows.shape[1]), np.float16)
    buffer[: len(rows)] = rows
    return buffer


@dataclass(frozen=True)
class Tables:
    """item_rows f16 [learned+1, D], residuals for the encoder; rows f16 [R, D], whole rows for the PRM.

    row int32 [N]: where every trie node has its row. code_rows f32 [d, M, D]: a node's row is the sum of those of its
    codes plus what was learned beyond them. room: where `rows` lie, and those of all revisions with them.
    """

    item_rows: F16
    rows: F16
    row: I32
    code_rows: F32
    room: Room

    @property
    def node_rows(self) -> F32:
        """[N, D] in node order."""
        return self.rows[self.row].astype(np.float32)


def tables_of(item_rows: F32, rows: F32, codes: F32) -> Tables:
    """Tables of a trie whose rows [N, D] are in node order."""
    room = Room(rows)
    return Tables(item_rows.astype(np.float16), room.rows, np.arange(len(rows), dtype=np.int32), codes, room)


def node_rows(trie: Trie, codes: F32, residual: F32) -> F32:
    """Rows [N, D] of all prefixes: residual [N-1, D] plus the sum of the code embeddings [d, M, D] on the way down."""
    rows = np.zeros((trie.nodes, codes.shape[2]), np.float32)
    for level in range(trie.depth):
        nodes = slice(trie.level_start[level + 1], trie.level_start[level + 2])
        rows[nodes] = rows[trie.parent[nodes]] + codes[level, trie.code[nodes]]
    rows[1:] += residual
    return rows
