"""What a prefix of semantic IDs stands for: how many items are below it, of which categories, and the popular ones.

Leaves below a node are one range of the trie, so their number costs nothing; the rest looks at few of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue
from service.search.trie import Trie

I32 = NDArray[np.int32]
SAMPLE = 2048  # leaves looked at of one prefix; below a larger one they are taken at even distances
NAMED = 3  # categories and examples told


@dataclass(frozen=True)
class Prefix:
    """`items` below the codes `sid`; the commonest categories with their share of the items; the most popular rows.

    Shares and rows come from a sample where there are more than SAMPLE items.
    """

    sid: tuple[int, ...]
    items: int
    categories: tuple[tuple[str, float], ...]
    examples: tuple[int, ...]


def prefix(catalogue: Catalogue, trie: Trie, sid: Sequence[int]) -> Prefix | None:
    """What stands below this path of at least one code; None where no item on offer does."""
    node = trie.find(sid) if len(sid) <= trie.depth else 0
    if not node:
        return None
    first, end = leaves_below(trie, node)
    rows = trie.rows(_spread(first, end))
    return Prefix(tuple(sid), end - first, _commonest(catalogue, rows), _popular(catalogue, rows))


def leaves_below(trie: Trie, node: int) -> tuple[int, int]:
    """The first leaf node below `node`, and the one after the last."""
    first, end = node, node + 1
    while first < trie.first_leaf:
        first, end = int(trie.first_child[first]), int(trie.first_child[end])
    return first, end


def _spread(first: int, end: int) -> I32:
    count = min(end - first, SAMPLE)
    places: I32 = (first + np.arange(count, dtype=np.int64) * (end - first) // count).astype(np.int32)
    return places


def _commonest(catalogue: Catalogue, rows: I32) -> tuple[tuple[str, float], ...]:
    codes, counts = np.unique(catalogue.category[rows - 1], return_counts=True)
    ranked = np.argsort(-counts, kind="stable").tolist()
    named = [(catalogue.categories[codes[at]], counts[at] / len(rows)) for at in ranked if codes[at] >= 0]
    return tuple((name, float(share)) for name, share in named if name)[:NAMED]


def _popular(catalogue: Catalogue, rows: I32) -> tuple[int, ...]:
    order = np.lexsort((rows, -catalogue.popularity[rows - 1].astype(np.int64)))
    return tuple(rows[order[:NAMED]].tolist())
