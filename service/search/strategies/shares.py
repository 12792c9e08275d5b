"""What share of all a request could be shown lies below a prefix: rewards made comparable between levels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.search import choosing
from service.search.strategies.columns import Columns
from service.search.trie import Trie

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


def log_shares(levels: Sequence[Columns]) -> list[F32]:
    """Of every level, from the first, the logarithm of its children's shares [B,C], -inf for filler.

    A PRM trained by InfoNCE tends to log p(prefix | user) and a constant of the level that nobody knows (methods.md,
    section 3). The children of a level divide among themselves what their parents, all that were kept, had:
    reward - logsumexp(rewards of the level) + logsumexp(shares of the parents). Exact where every child of a kept
    parent is in the pool; a narrower pool takes what the missing ones should have.
    """
    above, shares = np.zeros((len(levels[0].node), 1)), []
    for level in levels:
        share = level.reward - _total(level.reward) + above
        if level is not levels[-1]:
            above = _total(np.where(level.kept, share, -np.inf))
        shares.append(share.astype(np.float32))
    return shares


def _total(logs: NDArray[np.floating]) -> F64:
    """logsumexp [B,1] of [B,C]; 0 where all are -inf."""
    best = np.maximum(logs.max(1, keepdims=True).astype(np.float64), np.finfo(np.float64).min)
    total = np.exp(logs - best).sum(1, keepdims=True)
    return np.where(total > 0, best + np.log(np.maximum(total, np.finfo(np.float64).tiny)), 0.0)


def along(levels: Sequence[Columns], values: Sequence[F32], leaf: I32, trie: Trie) -> F32:
    """Of `values` [B,C] per level those on the ways to leaves [B,n]: [B,n,d]; nan where a node is no child there."""
    path = trie.path(leaf)
    pairs = zip(levels, values, strict=True)
    return np.stack([_found(level, x, path[..., number]) for number, (level, x) in enumerate(pairs)], -1)


def _found(level: Columns, values: F32, wanted: I32) -> F32:
    named = np.where(level.legal, level.node, -1)
    order = np.argsort(named, axis=1)
    at = [row.searchsorted(want, sorter=by) for row, want, by in zip(named, wanted, order, strict=True)]
    place = choosing.pick(order, np.minimum(np.stack(at), named.shape[1] - 1))
    return np.where(choosing.pick(named, place) == wanted, choosing.pick(values, place), np.float32(np.nan))
