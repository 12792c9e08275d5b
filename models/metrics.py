"""Ranking metrics in plain numpy: ranks, recall, NDCG, HRecall, rescue and damage, paired bootstrap.

A rank is the 1-based place of the target in a user's list; 0 says that it is not in the list. All figures are
leave-one-out with one target a user, so recall@k is the share of users with a rank of at most k.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranks:
    """The same places under two ways to break ties in score, both int32 [U]: seeded shuffle, and list or row order."""

    shuffled: I32
    by_order: I32


@dataclass(frozen=True)
class Interval:
    """A difference of means over users and its bootstrap interval (95 % unless asked otherwise)."""

    difference: float
    low: float
    high: float


def recall_per_user(rank: I32, k: int) -> F64:
    """[U] of 0 and 1: is the target among the first k?"""
    return ((rank >= 1) & (rank <= k)).astype(np.float64)


def ndcg_per_user(rank: I32, k: int) -> F64:
    """[U]: 1 / log2(1 + rank) within the first k, else 0; the ideal list has the one target first."""
    return recall_per_user(rank, k) / np.log2(1.0 + np.maximum(rank, 1))


def recall(rank: I32, k: int) -> float:
    """Share of users whose target is among the first k."""
    return float(recall_per_user(rank, k).mean())


def ndcg(rank: I32, k: int) -> float:
    """Mean NDCG@k."""
    return float(ndcg_per_user(rank, k).mean())


def rank_in_list(listed: I32, score: F32, target: I32, draw: F64) -> Ranks:
    """Place of `target` [B] in lists of rows [B,L], best first, with their scores [B,L]; -inf marks filler.

    Equal scores share their places: `draw` [B], uniform in 0 .. 1, picks one of them, as a shuffle of the ties would.
    Ties cut off at the end of a list are not seen. `by_order` is the place as listed.

    Raises:
        ValueError: a score is not a number.
    """
    _reject_nan(score)
    here = (listed == target[:, None]) & (score > -np.inf)
    found, place = here.any(1), here.argmax(1)
    own = np.take_along_axis(score, place[:, None], 1)
    shuffled = _place((score > own).sum(1), (score == own).sum(1), draw)
    return Ranks(np.where(found, shuffled, 0).astype(np.int32), np.where(found, place + 1, 0).astype(np.int32))


def rank_in_scores(score: F32, target: I32, draw: F64) -> Ranks:
    """Place of `target` (rows, 1-based) [B] in a full ranking: score [B,I], column j = row j + 1, -inf = excluded.

    Ties as in `rank_in_list`; `by_order` breaks them by row.

    Raises:
        ValueError: a score is not a number.
    """
    _reject_nan(score)
    column = target[:, None] - 1
    own = np.take_along_axis(score, column, 1)
    above, tied = (score > own).sum(1), score == own
    before = (tied & (np.arange(score.shape[1]) < column)).sum(1)
    found = own[:, 0] > -np.inf
    shuffled = _place(above, tied.sum(1), draw)
    return Ranks(np.where(found, shuffled, 0).astype(np.int32), np.where(found, 1 + above + before, 0).astype(np.int32))


def _place(above: NDArray[np.intp], tied: NDArray[np.intp], draw: F64) -> NDArray[np.intp]:
    return 1 + above + np.floor(draw * tied).astype(np.intp)


def _reject_nan(score: F32) -> None:
    # Every comparison with NaN is false, which would place such a target first.
    if np.isnan(score).any():
        raise ValueError("a score is not a number, so nothing can be ranked by it")


def holds(node: I32, log_prob: F32, true: I32) -> Bool:
    """[B]: is the node `true` [B] among nodes [B,K] that are not filler (log_prob = -inf)?"""
    here: Bool = (node == true[:, None]) & (log_prob > -np.inf)
    return np.asarray(here.any(1))


def hrecall(kept: Bool) -> F64:
    """HRecall@b@K for b = 1 .. d [d]: share of users [U,d] whose true prefix of that depth was kept; PROMISE, 4.1."""
    return np.asarray(kept.mean(0), np.float64)


def rescue(kept: Bool, beam: Bool) -> F64:
    """[d]: share of users whose true prefix the PRM kept where log-probability alone would have cut it.

    Both [U,d] and out of the same expansion, so misses without PRM - misses with PRM = rescue - damage, per depth.
    """
    return np.asarray((kept & ~beam).mean(0), np.float64)


def damage(kept: Bool, beam: Bool) -> F64:
    """[d]: share of users whose true prefix the PRM cut where log-probability alone would have kept it."""
    return np.asarray((beam & ~kept).mean(0), np.float64)


def paired_bootstrap(first: F64, second: F64, seed: int, resamples: int = 1000, level: float = 0.95) -> Interval:
    """Interval of mean(first) - mean(second) over users [U]: users are drawn with replacement, pairs stay together.

    Raises:
        ValueError: the two differ in length, or there are no users.
    """
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"a paired comparison needs the same users on both sides: {first.shape}, {second.shape}")
    difference, users = first - second, len(first)
    rng = np.random.default_rng(seed)
    means = [difference[rng.integers(users, size=users)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(difference.mean()), float(low), float(high))
