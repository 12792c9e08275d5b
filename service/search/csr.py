"""The arrays of a trie of valid prefixes, and the ways through them.

Nodes are numbered breadth first and by code, the root is 0, so children are a contiguous range: two int32 arrays
describe the whole catalogue (first_child, code), and they are graph inputs, never weights (design section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Trie:
    """N nodes over L reachable items of d codes, out of I item rows; the last L nodes are the leaves.

    first_child int32 [N-L+1] (the children of an inner node are first_child[node] .. first_child[node + 1]),
    code int32 [N + widest] (root 0; behind the last node as many zeros as a node can have children, so that a gather
    of that many from anywhere stays inside), parent int32 [N] (root 0), level_start int32 [d+2] (nodes of depth b are
    level_start[b] .. level_start[b+1]), leaf_row int32 [L] (item row, 1-based, of every leaf in node order), row_leaf
    int32 [I+1] (node of a row; 0 = none). At most 8 · d + 4 bytes an item, and those of the first codes.
    """

    first_child: I32
    code: I32
    parent: I32
    level_start: I32
    leaf_row: I32
    row_leaf: I32

    @property
    def depth(self) -> int:
        return len(self.level_start) - 2

    @property
    def nodes(self) -> int:
        return int(self.level_start[-1])

    @property
    def items(self) -> int:
        """Reachable ones."""
        return len(self.leaf_row)

    @property
    def first_leaf(self) -> int:
        return int(self.level_start[-2])

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in vars(self).values())

    def branching(self, level: int) -> int:
        """Largest number of children of any node whose children lie at 0-based `level`."""
        owners = slice(self.level_start[level], self.level_start[level + 1] + 1)
        return int(np.diff(self.first_child[owners]).max())

    def rows(self, leaves: I32) -> I32:
        """Item rows (1-based) of leaf nodes, any shape."""
        return self.leaf_row[leaves - self.first_leaf]

    def find(self, codes: Sequence[int]) -> int:
        """Node of a path of at most d codes from the root; 0 where the trie has no such path."""
        node = 0
        for code in codes:
            first, end = self.first_child[node : node + 2]
            at = first + np.searchsorted(self.code[first:end], code)
            if at == end or self.code[at] != code:
                return 0
            node = int(at)
        return node

    def find_all(self, codes: I32) -> I32:
        """Nodes [n] of n paths of at most d codes [n, b]; 0 where the trie has no such path. O(n), whatever N."""
        node = np.zeros(len(codes), np.int32)
        lost = np.zeros(len(codes), np.bool_)
        for level, wanted in enumerate(codes.T):
            first, end = self.first_child[node], self.first_child[node + 1]
            node = self._among(first, end, wanted, self.branching(level))
            lost |= (node == end) | (self.code[node] != wanted)
            node[lost] = self.level_start[level + 1]  # anywhere at this depth
        node[lost] = 0
        return node

    def _among(self, first: I32, end: I32, wanted: I32, widest: int) -> I32:
        """The first of the siblings first .. end [n] whose code is not below `wanted` [n]; end where all are."""
        low, high = first, end
        for _ in range(widest.bit_length()):
            middle = (low + high) >> 1
            below = (self.code[middle] < wanted) & (middle < high)
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        return low

    def path(self, nodes: I32) -> I32:
        """Ancestor nodes at depths 1..d of leaf nodes: [..., d], the leaf itself last."""
        path = np.empty((*nodes.shape, self.depth), np.int32)
        for depth in reversed(range(self.depth)):
            path[..., depth] = nodes
            nodes = self.parent[nodes]
        return path
