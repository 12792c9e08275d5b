"""A trie from codes: items sorted by their path, one integer where it fits, then numbered level by level.

Every step is a numpy call over all items that lets other threads run.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.search.csr import Trie

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
# (level, first, end) → for the paths first … end, in their order, whether a new prefix starts there, and their codes
Runs = Callable[[int, int, int], tuple[Bool, I32 | I64]]

BITS = 63  # of a non-negative int64
AT_ONCE = 1 << 17  # paths: what a step needs stays in the cache, and the lock that a running sum holds is soon let go
SHARED = "two items share one semantic ID; every item must be reachable by its own path"


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
    if rows is None:
        order, runs = _sorted(codes)
        return number(runs, codes.shape[1], (order + 1).astype(np.int32), len(codes))
    reachable = _reachable(len(codes), rows)
    order, runs = _sorted(codes[reachable - 1])
    return number(runs, codes.shape[1], reachable[order], len(codes))


def _reachable(items: int, rows: ArrayLike) -> I32:
    chosen = np.asarray(rows, np.int32)
    if not chosen.size:
        raise ValueError("a trie needs at least one reachable item")
    if chosen.min() < 1 or chosen.max() > items:
        raise ValueError(f"item rows run from 1 to {items}")
    return chosen


def _sorted(codes: I32) -> tuple[NDArray[np.intp], Runs]:
    """The order of the paths [I, d], and their runs in that order."""
    widths, items = bits(codes.max(0)), len(codes)
    if sum(widths) > BITS:
        order = np.lexsort(codes.T[::-1])
        return order, _runs_of_codes(codes[order])
    keys, spare = pack(codes, widths), items.bit_length()
    if sum(widths) + spare > BITS:
        order = np.argsort(keys)
        return order, runs_of_keys(keys[order], widths)
    keys <<= spare
    keys |= np.arange(items)
    keys.sort()  # the place rides in the low bits: sorting is several times as fast as finding an order
    order = keys & ((1 << spare) - 1)
    keys >>= spare
    return order, runs_of_keys(keys, widths)


def bits(largest: I32) -> list[int]:
    """How many bits the codes of every level take, given the largest of each [d]."""
    return [max(1, code.bit_length()) for code in largest.tolist()]


def pack(codes: I32, widths: Sequence[int]) -> I64:
    """Every path [n, d] as one integer; integers sort as paths do."""
    keys = np.zeros(len(codes), np.int64)
    for column, width in zip(codes.T, widths, strict=True):
        keys <<= width
        keys |= column
    return keys


def runs_of_keys(keys: I64, widths: Sequence[int]) -> Runs:
    """The runs of sorted packed paths [I]."""

    def runs(level: int, first: int, end: int) -> tuple[Bool, I64]:
        prefix = keys[first:end] >> sum(widths[level + 1 :])
        fresh = np.empty(end - first, np.bool_)
        fresh[0] = not first or prefix[0] != keys[first - 1] >> sum(widths[level + 1 :])
        np.not_equal(prefix[1:], prefix[:-1], out=fresh[1:])
        prefix &= (1 << widths[level]) - 1
        return fresh, prefix

    return runs


def _runs_of_codes(ordered: I32) -> Runs:
    """The same for paths too long to pack: sorted codes [I, d]."""

    def runs(level: int, first: int, end: int) -> tuple[Bool, I32]:
        part = ordered[first:end, : level + 1]
        fresh = np.ones(end - first, np.bool_)
        fresh[1:] = (part[1:] != part[:-1]).any(1)
        if first:
            fresh[0] = (part[0] != ordered[first - 1, : level + 1]).any()
        return fresh, part[:, level]

    return runs


def number(runs: Runs, depth: int, leaf_row: I32, rows: int) -> Trie:
    """The trie of sorted paths, given their runs and rows [L], out of `rows` rows.

    Raises:
        ValueError: two paths are the same.
    """
    items = len(leaf_row)
    parts = [(first, min(items, first + AT_ONCE)) for first in range(0, items, AT_ONCE)]
    counts = [sum(int(np.count_nonzero(runs(level, *part)[0])) for part in parts) for level in range(depth)]
    if counts[-1] < items:
        raise ValueError(SHARED)
    start = np.cumsum([0, 1, *counts]).tolist()
    first_child, parent = np.empty(start[-2] + 1, np.int32), np.empty(start[-1], np.int32)
    code = np.empty(start[-1] + items, np.int32)  # no node has more children; what is not touched takes no memory
    code[0], parent[0], first_child[0], first_child[-1] = 0, 0, 1, start[-1]
    row_leaf, free = np.zeros(rows + 1, np.int32), start[1:]
    for part in parts:
        _number(runs, part, free, code, parent, first_child)
        row_leaf[leaf_row[slice(*part)]] = np.arange(*part, dtype=np.int32) + start[-2]
    code = code[: start[-1] + _widest(first_child)]
    code[start[-1] :] = 0
    return Trie(first_child, code, parent, np.array(start, np.int32), leaf_row, row_leaf)


def _widest(first_child: I32) -> int:
    parts = (first_child[at : at + AT_ONCE + 1] for at in range(0, len(first_child) - 1, AT_ONCE))
    return max(int(np.diff(part).max()) for part in parts)


def _number(runs: Runs, part: tuple[int, int], free: list[int], code: I32, parent: I32, first_child: I32) -> None:
    """Number the nodes of which the first leaf is among first … end; `free`: the next number at every level."""
    above, heads = np.zeros(part[1] - part[0], np.int32), np.zeros(0, np.intp)
    for level, number in enumerate(free[:-1]):
        fresh, codes = runs(level, *part)
        starts, node = np.flatnonzero(fresh), np.cumsum(fresh, dtype=np.int32)
        node += number - 1
        own = slice(number, number + len(starts))
        code[own], parent[own] = codes.take(starts), above.take(starts)
        if level:
            first_child[free[level - 1] - len(heads) : free[level - 1]] = node.take(heads)
        above, heads, free[level] = node, starts, own.stop
