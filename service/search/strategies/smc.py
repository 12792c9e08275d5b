"""Prefixes resampled by how much their reward grew, instead of the best K'."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import HostTensor, Pruned
from service.search import choosing
from service.search.plan import Keeping
from service.search.pool import Pool, ranks

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Resampled(Keeping):
    """Above the leaves, K' copies of prefixes are drawn by weight; the beam holds each prefix once, with its copies.

    Twisted sequential Monte Carlo (arXiv 2410.01920) draws one child of every particle and resamples by
    exp(y_child − y_parent), y being the reward. The pool lists the children instead of drawing them, so a child weighs
    copies of its parent · π(child | parent) · exp((y_child − y_parent) / temperature), over all legal children of a
    request. y has a free constant per request and level; all children share one level and all parents another, so
    both cancel in the share. Nothing is random: systematic resampling with its offset fixed at 1/2.

    Copies merge, so a request of which the PRM is sure goes on with few prefixes, though never fewer than `least`, of
    which a list of so many items can always be made; `effective_size` of the weights tells how many are in the running.
    Leaves are ranked by score. Where the level above was not pruned, exp(log-probability) stands for the copies of a
    prefix and its y is 0, as at the root.

    Raises:
        ValueError: a temperature that is not positive, least below 1.
    """

    temperature: float = 1.0
    least: int = 10

    def __post_init__(self) -> None:
        if not self.temperature > 0 or self.least < 1:
            raise ValueError(f"a temperature is positive and `least` at least 1, not {self}")

    def at_least(self, k: int) -> "Resampled":
        """The same, for lists of k items."""
        return self if k <= self.least else replace(self, least=k)

    def __call__(self, pool: Pool) -> Pruned:
        if pool.leaves:
            return pool.pruned()
        count = copies(self.weights(pool), pool.legal, pool.k_keep, self.least)
        kept = pool.keep(np.where(count > 0, count, -np.inf).astype(np.float32))
        real = np.isfinite(kept.kept.log_prob.numpy())
        return replace(kept, count=HostTensor(np.where(real, choosing.pick(count, kept.order.numpy()), 0)))

    def weights(self, pool: Pool) -> F64:
        """f64 [B,C]: shares of the copies, of sum 1 over the legal children; 0 for filler."""
        log_copies, before = _parents(pool)
        grown = (np.where(pool.legal, pool.reward, 0) - before) / self.temperature
        log_weight = pool.log_prob + log_copies + grown
        best = log_weight.max(1, keepdims=True)
        weight = np.exp(log_weight - np.where(np.isfinite(best), best, 0))
        shares: F64 = weight / np.maximum(weight.sum(1, keepdims=True), np.finfo(np.float64).tiny)
        return shares


def _parents(pool: Pool) -> tuple[F64, F32]:
    """Of every child's parent, [B,C]: log of its copies less its log-probability, and its y."""
    above = pool.steps[-1].pruned if pool.steps else None
    if above is None or above.count is None:
        return np.zeros(pool.node.shape), np.zeros(pool.node.shape, np.float32)
    count, real = above.count.numpy(), above.count.numpy() > 0
    apart = np.log(np.maximum(count, 1)) - np.where(real, above.kept.log_prob.numpy(), 0)
    before = np.where(real, above.reward.numpy(), np.float32(0))
    return choosing.pick(apart, pool.parent), choosing.pick(before, pool.parent)


def copies(weights: F64, legal: Bool, total: int, least: int) -> I32:
    """int32 [B,C]: `total` copies a row, shared out by weights [B,C] of sum 1, less than 1 copy from weight · total.

    A row that this leaves with fewer than `least` prefixes, or that need lose none because it has no more than `total`
    legal ones [B,C], gives one copy to each of so many, the heaviest, and shares out the rest of the total.
    """
    drawn = _systematic(weights, np.full((len(weights), 1), total))
    alive = legal.sum(1, keepdims=True)
    wanted = np.where(alive <= total, alive, min(least, total))
    short = (drawn > 0).sum(1, keepdims=True) < wanted
    if short.any():
        given = legal & (ranks(np.where(legal, weights, -1)) < wanted)
        drawn = np.where(short, given + _systematic(weights, total - wanted), drawn)
    return drawn.astype(np.int32)


def _systematic(weights: F64, total: I64) -> I64:
    """How many of the points (j + 1/2) / total [B,1], j = 0 … total − 1, fall into every weight's stretch of [0, 1]."""
    running = np.cumsum(weights, axis=1)
    running /= np.maximum(running[:, -1:], np.finfo(np.float64).tiny)
    points = np.floor(running * total + 0.5).astype(np.int64)
    return np.diff(points, axis=1, prepend=0)


def effective_size(weights: F64) -> F64:
    """f64 [B]: 1 / Σ w² of weights [B,C] of sum 1, between 1 and C: how many prefixes are in the running."""
    size: F64 = 1 / np.maximum((weights * weights).sum(1), np.finfo(np.float64).tiny)
    return size
