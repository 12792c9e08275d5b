"""The CSR trie of valid prefixes, and which of its nodes are legal for one request.

Nodes are numbered breadth first and by code, the root is 0, so children are a contiguous range: two int32 arrays
describe the whole catalogue (first_child, code), and they are graph inputs, never weights (design section 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Trie:
    """N nodes over I items of d codes.

    first_child int32 [N+1] (leaves own empty ranges), code int32 [N] (root 0), parent int32 [N] (root 0),
    level_start int32 [d+2] (nodes of depth b are level_start[b] .. level_start[b+1]), leaf_count int32 [N],
    leaf_row int32 [I] (item row, 1-based, of every leaf in node order), row_leaf int32 [I+1] (node of a row; 0 = none).
    """

    first_child: I32
    code: I32
    parent: I32
    level_start: I32
    leaf_count: I32
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

    def path(self, nodes: I32) -> I32:
        """Ancestor nodes at depths 1..d of leaf nodes: [..., d], the leaf itself last."""
        path = np.empty((*nodes.shape, self.depth), np.int32)
        for depth in reversed(range(self.depth)):
            path[..., depth] = nodes
            nodes = self.parent[nodes]
        return path


def build(sids: ArrayLike) -> Trie:
    """Build the trie of codes [I, d]; row r (1-based) has the path sids[r - 1].

    Raises:
        ValueError: no items, a negative code, or two items on one path.
    """
    codes = np.asarray(sids, np.int32)
    if codes.ndim != 2 or not codes.size:
        raise ValueError(f"semantic IDs must be a non-empty [items, depth] array, not {codes.shape}")
    if codes.min() < 0:
        raise ValueError("semantic IDs hold a negative code")
    order = np.lexsort(codes.T[::-1])
    ordered = codes[order]
    fresh = _first_differences(ordered)
    if not fresh[:, -1].all():
        raise ValueError("two items share one semantic ID; every item must be reachable by its own path")
    return _number(ordered, fresh, order)


def _first_differences(ordered: I32) -> Bool:
    """[I, d]: does row i start a new prefix at this depth, compared with row i - 1?"""
    changed = np.ones(ordered.shape, np.bool_)
    changed[1:] = ordered[1:] != ordered[:-1]
    return np.logical_or.accumulate(changed, axis=1)


def _number(ordered: I32, fresh: Bool, order: NDArray[np.intp]) -> Trie:
    items, depth = ordered.shape
    level_start = np.concatenate([[0, 1], 1 + np.cumsum(fresh.sum(0))]).astype(np.int32)
    nodes = int(level_start[-1])
    code, parent = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    leaf_count, first_child = np.zeros(nodes, np.int32), np.full(nodes + 1, nodes, np.int32)
    leaf_count[0], first_child[0] = items, 1
    above = np.zeros(items, np.int32)
    for level in range(depth):
        here = (level_start[level + 1] - 1 + np.cumsum(fresh[:, level])).astype(np.int32)
        starts = np.flatnonzero(fresh[:, level])
        ids = here[starts]
        code[ids], parent[ids] = ordered[starts, level], above[starts]
        leaf_count[ids] = np.diff(np.append(starts, items))
        opens = starts[np.append(True, np.diff(above[starts]) > 0)]
        first_child[above[opens]] = here[opens]
        above = here
    leaf_row = (order + 1).astype(np.int32)
    row_leaf = np.zeros(items + 1, np.int32)
    row_leaf[leaf_row] = above
    return Trie(first_child, code, parent, level_start, leaf_count, leaf_row, row_leaf)


def legal(trie: Trie, excluded_rows: ArrayLike = ()) -> Bool:
    """Mask [N]: False on excluded items and on every prefix that has no legal item left below it.

    `excluded_rows` are item rows (1-based, repeats and 0 ignored): O(excluded · depth) beyond the copy of the mask.
    """
    mask = np.ones(trie.nodes, np.bool_)
    rows = np.unique(np.asarray(excluded_rows, np.int32))
    leaves = trie.row_leaf[rows[rows > 0]]
    if leaves.size:
        nodes, banned = np.unique(trie.path(leaves), return_counts=True)
        mask[nodes[banned == trie.leaf_count[nodes]]] = False
        mask[0] = leaves.size < trie.leaf_count[0]
    return mask
