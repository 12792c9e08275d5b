"""What every item must be before its reward is trusted: rules over leaves, whatever an engine said; pure array work."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.search.csr import Trie
from service.search.legality import Banned

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

# In the order in which they are tried: an item counts against the first that it breaks.
RULES = ("valid_path", "in_stock", "allowed", "distinct", "finite_score")
NOTHING: Mapping[str, int] = MappingProxyType({})
FEW = 32  # items up to which plain integers are quicker than array calls


@dataclass(frozen=True)
class RuleCheck:
    """A rule, how many items it was tried on, and how many of them broke it and were left out."""

    rule: str
    checked: int
    broken: int


class Checked(NamedTuple):
    """bool [n]: what breaks no rule; and how many items broke each rule that was broken."""

    kept: Bool
    broken: Mapping[str, int]


def verify(trie: Trie, banned: Banned, nodes: I32, score: F32) -> Checked:
    """Try the rules on nodes int32 [n] and their scores f32 [n], filler left out, in the order they would be returned.

    valid_path: a leaf of the trie whose ancestors lead to the root. in_stock: its row has this leaf in this revision.
    allowed: neither excluded nor outside the filter. distinct: not returned before. finite_score: a number.
    About 10 µs for 10 items, 250 µs for 1,000.
    """
    if len(nodes) <= FEW and _sound(trie, banned, nodes.tolist(), score.tolist()):
        return Checked(np.ones(len(nodes), np.bool_), NOTHING)
    inside = (nodes >= trie.first_leaf) & (nodes < trie.nodes)
    leaves = np.where(inside, nodes, np.int32(trie.first_leaf))
    chained, stocked = _chained(trie, leaves), _in_stock(trie, leaves)
    passed = inside & chained, stocked, _allowed(banned, leaves), _first(nodes), np.isfinite(score)
    kept: Bool = np.logical_and.reduce(passed)
    return Checked(kept, NOTHING if kept.all() else _counts(passed))


def checks(count: int, broken: Mapping[str, int]) -> tuple[RuleCheck, ...]:
    """What `verify` did with `count` items, rule by rule."""
    return tuple(RuleCheck(rule, count, broken.get(rule, 0)) for rule in RULES)


def _sound(trie: Trie, banned: Banned, nodes: list[int], score: list[float]) -> bool:
    """Do all of them keep all rules?"""
    first_leaf, end, depth = trie.first_leaf, trie.nodes, range(trie.depth)
    parent, first_child, rows, leaf = trie.parent.data, trie.first_child.data, trie.leaf_row.data, trie.row_leaf.data
    for node in nodes:
        if not (first_leaf <= node < end and leaf[rows[node - first_leaf]] == node):
            return False
        for _ in depth:
            above = parent[node]
            if not first_child[above] <= node < first_child[above + 1]:
                return False
            node = above
        if node:
            return False
    hidden = banned.mask[nodes].any() if banned.mask is not None else not _unmet(banned, nodes)
    return not hidden and len(set(nodes)) == len(nodes) and all(map(isfinite, score))


def _unmet(banned: Banned, nodes: list[int]) -> bool:
    return not len(banned.nodes) or set(nodes).isdisjoint(banned.nodes.tolist())


def _counts(passed: tuple[Bool, ...]) -> Mapping[str, int]:
    first = np.argmin(np.stack([*passed, np.zeros_like(passed[0])]), axis=0)
    counts = np.bincount(first, minlength=len(RULES) + 1).tolist()
    return {rule: count for rule, count in zip(RULES, counts, strict=False) if count}


def _chained(trie: Trie, leaves: I32) -> Bool:
    """Is every prefix of the path a child of the one before it, and the first one a child of the root?"""
    path = trie.path(leaves)
    above = trie.parent.take(path)
    child = (trie.first_child.take(above) <= path) & (path < trie.first_child.take(above + 1))
    chained: Bool = child.all(1) & (above[:, 0] == 0)
    return chained


def _in_stock(trie: Trie, leaves: I32) -> Bool:
    stocked: Bool = trie.row_leaf.take(trie.rows(leaves), mode="clip") == leaves
    return stocked


def _allowed(banned: Banned, leaves: I32) -> Bool:
    if banned.mask is not None:
        return ~banned.mask.take(leaves)
    if not banned.nodes.size:
        return np.ones(len(leaves), np.bool_)
    allowed: Bool = banned.nodes.take(banned.nodes.searchsorted(leaves), mode="clip") != leaves
    return allowed


def _first(nodes: I32) -> Bool:
    """Is this the first time that a node occurs?"""
    first = np.zeros(len(nodes), np.bool_)
    first[np.unique(nodes, return_index=True)[1]] = True
    return first
