"""The CSR trie of valid prefixes, and which of its nodes are legal for one request.

Nodes are numbered breadth first and by code, the root is 0, so children are a contiguous range: two int32 arrays
describe the whole catalogue (first_child, code), and they are graph inputs, never weights (design section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Trie:
    """N nodes over L reachable items of d codes, out of I item rows.

    first_child int32 [N+1] (leaves own empty ranges), code int32 [N] (root 0), parent int32 [N] (root 0),
    level_start int32 [d+2] (nodes of depth b are level_start[b] .. level_start[b+1]), leaf_count int32 [N],
    leaf_start int32 [N] (the leaves below a node are leaf_start .. leaf_start + leaf_count, counted from first_leaf),
    leaf_row int32 [L] (item row, 1-based, of every leaf in node order), row_leaf int32 [I+1] (node of a row; 0 = none).
    """

    first_child: I32
    code: I32
    parent: I32
    level_start: I32
    leaf_count: I32
    leaf_start: I32
    leaf_row: I32
    row_leaf: I32

    @property
    def depth(self) -> int:
        return len(self.level_start) - 2

    @property
    def nodes(self) -> int:
        return len(self.code)

    @property
    def first_leaf(self) -> int:
        return int(self.level_start[self.depth])

    def branching(self, level: int) -> int:
        """Largest number of children of any node whose children lie at 0-based `level`."""
        owners = slice(self.level_start[level], self.level_start[level + 1] + 1)
        return int(np.diff(self.first_child[owners]).max())

    def rows(self, leaves: I32) -> I32:
        """Item rows (1-based) of leaf nodes, any shape."""
        return self.leaf_row[leaves - self.first_leaf]

    def find(self, codes: Sequence[int]) -> int:
        """Node of a path of codes from the root, whole or partial; 0 where the trie has no such path."""
        node = 0
        for code in codes:
            first, end = self.first_child[node : node + 2]
            at = first + np.searchsorted(self.code[first:end], code)
            if at == end or self.code[at] != code:
                return 0
            node = int(at)
        return node

    def path(self, nodes: I32) -> I32:
        """Ancestor nodes at depths 1..d of leaf nodes: [..., d], the leaf itself last."""
        path = np.empty((*nodes.shape, self.depth), np.int32)
        for depth in reversed(range(self.depth)):
            path[..., depth] = nodes
            nodes = self.parent[nodes]
        return path


def build(sids: ArrayLike, rows: ArrayLike | None = None) -> Trie:
    """Build the trie of codes [I, d]; row r (1-based) has the path sids[r - 1].

    With `rows`, only these (1-based, each once) are reachable; the others keep their row and have no leaf.

    Raises:
        ValueError: no items, a negative code, a row that does not exist, or two reachable items on one path.
    """
    codes = np.asarray(sids, np.int32)
    if codes.ndim != 2 or not codes.size:
        raise ValueError(f"semantic IDs must be a non-empty [items, depth] array, not {codes.shape}")
    if codes.min() < 0:
        raise ValueError("semantic IDs hold a negative code")
    reachable = _reachable(len(codes), rows)
    codes_of = codes[reachable - 1]
    order = np.lexsort(codes_of.T[::-1])
    ordered = codes_of[order]
    fresh = _first_differences(ordered)
    if not fresh[:, -1].all():
        raise ValueError("two items share one semantic ID; every item must be reachable by its own path")
    return _number(ordered, fresh, reachable[order], len(codes))


def _reachable(items: int, rows: ArrayLike | None) -> I32:
    if rows is None:
        return np.arange(1, items + 1, dtype=np.int32)
    chosen = np.asarray(rows, np.int32)
    if not chosen.size:
        raise ValueError("a trie needs at least one reachable item")
    if chosen.min() < 1 or chosen.max() > items:
        raise ValueError(f"item rows run from 1 to {items}")
    return chosen


def _first_differences(ordered: I32) -> Bool:
    """[I, d]: does row i start a new prefix at this depth, compared with row i - 1?"""
    changed = np.ones(ordered.shape, np.bool_)
    changed[1:] = ordered[1:] != ordered[:-1]
    return np.logical_or.accumulate(changed, axis=1)


def _number(ordered: I32, fresh: Bool, leaf_row: I32, rows: int) -> Trie:
    items, depth = ordered.shape
    level_start = np.concatenate([[0, 1], 1 + np.cumsum(fresh.sum(0))]).astype(np.int32)
    nodes = int(level_start[-1])
    code, parent = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    leaf_count, leaf_start = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    first_child = np.full(nodes + 1, nodes, np.int32)
    leaf_count[0], first_child[0] = items, 1
    above = np.zeros(items, np.int32)
    for level in range(depth):
        here = (level_start[level + 1] - 1 + np.cumsum(fresh[:, level])).astype(np.int32)
        starts = np.flatnonzero(fresh[:, level])
        ids = here[starts]
        code[ids], parent[ids] = ordered[starts, level], above[starts]
        leaf_count[ids], leaf_start[ids] = np.diff(np.append(starts, items)), starts
        opens = starts[np.append(True, np.diff(above[starts]) > 0)]
        first_child[above[opens]] = here[opens]
        above = here
    row_leaf = np.zeros(rows + 1, np.int32)
    row_leaf[leaf_row] = above
    return Trie(first_child, code, parent, level_start, leaf_count, leaf_start, leaf_row, row_leaf)


def legal(trie: Trie, excluded_rows: ArrayLike = (), allowed_rows: Bool | None = None) -> Bool:
    """Mask [N]: False on items that may not be shown and on every prefix that has none left below it.

    `excluded_rows` are item rows (1-based; repeats, 0 and unreachable rows are ignored); alone they cost
    O(excluded · depth) beyond the copy of the mask. `allowed_rows` [I+1] further restricts to its True rows: O(N).
    """
    excluded = np.unique(np.asarray(excluded_rows, np.int32))
    if allowed_rows is None:
        return _without(trie, excluded)
    left = allowed_rows.copy()
    left[excluded] = False
    return _only(trie, left)


def _without(trie: Trie, excluded: I32) -> Bool:
    mask = np.ones(trie.nodes, np.bool_)
    leaves = trie.row_leaf[excluded]
    leaves = leaves[leaves > 0]
    if leaves.size:
        nodes, banned = np.unique(trie.path(leaves), return_counts=True)
        mask[nodes[banned == trie.leaf_count[nodes]]] = False
        mask[0] = leaves.size < trie.leaf_count[0]
    return mask


def _only(trie: Trie, rows: Bool) -> Bool:
    """A prefix is legal when the running count of legal leaves grows between its first leaf and its last."""
    legal_leaf = rows.take(trie.leaf_row)
    before = np.zeros(len(legal_leaf) + 1, np.int32)
    np.cumsum(legal_leaf, out=before[1:])
    first = trie.leaf_start[: trie.first_leaf]
    last = first + trie.leaf_count[: trie.first_leaf]
    return np.concatenate([before.take(last) > before.take(first), legal_leaf])
