"""Which nodes of a trie one request may not use: items that it may not show, and prefixes with nothing left below."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.csr import Trie

I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

NONE = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Banned:
    """Illegal nodes: int32, ascending, each once; or, under a filter, a mask [N], True = illegal, and no nodes."""

    nodes: I32
    mask: Bool | None = None

    def first_level(self, trie: Trie) -> I32:
        """The root's children that are illegal, counted from its first."""
        end = int(trie.level_start[2])
        if self.mask is not None:
            return np.flatnonzero(self.mask[1:end]).astype(np.int32)
        first, last = (bisect_left(self.nodes.data, node) for node in (1, end))
        return self.nodes[first:last] - np.int32(1)

    def legal_items(self, trie: Trie) -> int:
        """How many items remain."""
        if self.mask is not None:
            return trie.items - int(np.count_nonzero(self.mask[trie.first_leaf :]))
        return trie.items - len(self.nodes) + bisect_left(self.nodes.data, trie.first_leaf)


def banned(trie: Trie, excluded_rows: Iterable[int] | I32 = (), allowed_rows: Bool | None = None) -> Banned:
    """What one request may not show: the excluded item rows (1-based; repeats, 0 and unreachable rows are ignored) and,
    with `allowed_rows` [I+1], all that are False in it.

    O(excluded · depth) without `allowed_rows`, whatever the catalogue; O(N) with it.
    """
    rows = excluded_rows.tolist() if isinstance(excluded_rows, np.ndarray) else list(excluded_rows)
    if allowed_rows is None:
        return Banned(_without(trie, rows))
    left = allowed_rows.copy()
    left[rows] = False
    return Banned(NONE, _only(trie, left))


def _without(trie: Trie, rows: list[int]) -> I32:
    """Plain integers: a history is too short for array calls to pay."""
    leaf_of = trie.row_leaf.data
    nodes = sorted({leaf_of[row] for row in rows})
    if nodes and not nodes[0]:
        del nodes[0]
    found, parent, first_child = nodes, trie.parent.data, trie.first_child.data
    while nodes and nodes[0]:
        nodes = _emptied(nodes, parent, first_child)
        found = nodes + found
    return np.array(found, np.int32)


def _emptied(nodes: list[int], parent: memoryview, first_child: memoryview) -> list[int]:
    """The parents of which all children are among these nodes of one depth, ascending: a run from first to last."""
    emptied, count = [], len(nodes)
    for at, node in enumerate(nodes):
        above = parent[node]
        if first_child[above] == node:
            last = first_child[above + 1] - 1
            at += last - node
            if at < count and nodes[at] == last:
                emptied.append(above)
    return emptied


def _only(trie: Trie, rows: Bool) -> Bool:
    """A prefix is legal when the running count of legal leaves grows between its first leaf and its last."""
    start, legal_leaf = trie.level_start.tolist(), rows.take(trie.leaf_row)
    counted = np.zeros(len(legal_leaf) + 1, np.int32)
    np.cumsum(legal_leaf, out=counted[1:])
    mask = np.empty(trie.nodes, np.bool_)
    np.logical_not(legal_leaf, out=mask[trie.first_leaf :])
    for first, end in zip(start[-3::-1], start[-2:0:-1], strict=True):
        counted = counted.take(trie.first_child[first : end + 1] - end)
        np.equal(counted[1:], counted[:-1], out=mask[first:end])
    return mask
