"""A trie after some items left and others came, without sorting again: the paths of a trie are sorted already."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.search.building import AT_ONCE, BITS, I64, SHARED, Bool, bits, build, number, pack, runs_of_keys
from service.search.csr import Trie

I32 = NDArray[np.int32]


def revised(trie: Trie, sids: I32, left: I32, came: I32) -> Trie:
    """The trie without the item rows `left` and with the rows `came`, whose paths are sids[row - 1].

    `sids` [I, d] holds all rows, those that `trie` knows unchanged. left, came int32: rows (1-based, each once) that
    have a leaf in `trie`, and that have none. Equal to the trie built from scratch, in a fraction of the time.

    Raises:
        ValueError: nothing would be left, or two items would share one path.
    """
    stays = np.ones(trie.items, np.bool_)
    stays[trie.row_leaf[left] - trie.first_leaf] = False
    if not len(came) and not stays.any():
        raise ValueError("a trie needs at least one reachable item")
    new = sids[came - 1]
    widths = bits(_largest(trie, new))
    if sum(widths) > BITS:
        return build(sids, np.concatenate([trie.leaf_row[stays], came]))
    keys, rows = _merged(trie, widths, stays, pack(new, widths), came)
    return number(runs_of_keys(keys, widths), trie.depth, rows, len(sids))


def _merged(trie: Trie, widths: list[int], stays: Bool, arriving: I64, came: I32) -> tuple[I64, I32]:
    """Packed paths in order, and their rows: of the leaves that stay, and of those that come at `arriving` paths."""
    order = np.argsort(arriving)
    arriving, came = arriving[order], came[order]
    size = int(np.count_nonzero(stays)) + len(came)
    keys, rows, free, taken = np.empty(size, np.int64), np.empty(size, np.int32), 0, 0
    for first in range(0, trie.items, AT_ONCE):
        leaves = first + np.flatnonzero(stays[first : first + AT_ONCE])
        here = _keys(trie, leaves, widths)
        before = arriving.searchsorted(here[-1:]).sum() if first + AT_ONCE < trie.items else len(came)
        new = slice(taken, max(taken, int(before)))
        at = here.searchsorted(arriving[new])
        if len(here) and (here.take(at, mode="clip") == arriving[new]).any():
            raise ValueError(SHARED)
        own = slice(free, free + len(here) + new.stop - new.start)
        keys[own], rows[own] = np.insert(here, at, arriving[new]), np.insert(trie.leaf_row.take(leaves), at, came[new])
        free, taken = own.stop, new.stop
    return keys, rows


def _largest(trie: Trie, new: I32) -> I32:
    """The largest code of every level [d], in the trie or among the new paths [c, d]."""
    present = [trie.code[first:end].max() for first, end in pairwise(trie.level_start[1:].tolist())]
    largest: I32 = np.maximum(np.array(present, np.int32), new.max(0, initial=0))
    return largest


def _keys(trie: Trie, leaves: NDArray[np.intp], widths: list[int]) -> I64:
    """The packed paths of some leaves, counted from the first one."""
    node, keys, below = (leaves + trie.first_leaf).astype(np.int32), np.zeros(len(leaves), np.int64), 0
    for width in reversed(widths):
        keys |= trie.code.take(node).astype(np.int64) << below
        node, below = trie.parent.take(node), below + width
    return keys
