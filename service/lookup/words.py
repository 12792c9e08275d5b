"""Items by the words of a search box: plain text in blocks, the most popular items first.

Neither preparing nor searching may be felt by requests that run beside it. Both hold the interpreter for one block at
a time, about a millisecond, and pause in between.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue
from service.lookup.shown import brand_of, category_of, title_of
from service.search.trie import Trie

SEARCHED = 200_000  # items on offer whose text is kept, the most popular ones: 20 to 40 MB
BLOCK = 512  # items between two pauses
PAUSE_S = 0.0002

I32 = NDArray[np.int32]
Pause = Callable[[], None]
PAUSE: Pause = partial(time.sleep, PAUSE_S)


@dataclass(frozen=True)
class Found:
    """Item rows, best first, and how many match in all."""

    rows: list[int]
    total: int


class Words:
    """What can be read of the most popular items of one catalogue.

    Items beyond the first `SEARCHED` on offer are found by their whole id alone.
    """

    def __init__(self, catalogue: Catalogue, trie: Trie, pause: Pause = PAUSE) -> None:
        self._catalogue, self._trie, self._pause = catalogue, trie, pause
        ranked = catalogue.by_popularity[:SEARCHED]
        self._blocks = [self._block(ranked[at : at + BLOCK]) for at in range(0, len(ranked), BLOCK)]

    def find(self, query: str, limit: int) -> Found:
        """Items that hold every word of the query in title, id, category or brand, whatever the case.

        An item of just this id comes first, then those where every word begins a word of the item, then the others;
        each by popularity. Without a word: the most popular items. Retired items are never found. `total` counts the
        items whose text is kept; without a word, all on offer.
        """
        words = tuple(dict.fromkeys(query.casefold().split()))
        if not words:
            ranked = self._catalogue.by_popularity
            return Found(ranked[:limit].tolist(), len(ranked))
        starting = [re.compile(rf"(?<!\w){re.escape(word)}") for word in words]
        exact = self._exact(query.strip())
        first, then, total = list(exact), list[int](), len(exact)
        for row, line in self._matching(words):
            total += row not in exact
            kept = first if all(start.search(line) for start in starting) else then
            if len(kept) < limit and row not in exact:
                kept.append(row)
        return Found([*first, *then][:limit], total)

    def _exact(self, item_id: str) -> list[int]:
        row = self._catalogue.rows.get(item_id, 0)
        return [row] if self._trie.row_leaf[row] else []

    def _matching(self, words: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        """Rows and lines that hold all the words, most popular first."""
        for rows, text in self._blocks:
            self._pause()
            if all(word in text for word in words):
                for row, line in zip(rows.tolist(), text.split("\n"), strict=True):
                    if all(word in line for word in words):
                        yield row, line

    def _block(self, rows: I32) -> tuple[I32, str]:
        self._pause()
        return rows, "\n".join(map(self._line, rows.tolist()))

    def _line(self, row: int) -> str:
        catalogue = self._catalogue
        parts = (
            title_of(catalogue, row) or "",
            catalogue.ids[row - 1],
            category_of(catalogue, row) or "",
            brand_of(catalogue, row) or "",
        )
        return "\t".join(parts).casefold().replace("\n", " ")
