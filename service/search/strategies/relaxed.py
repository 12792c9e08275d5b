"""A margin of pruning that grows with the PRM's uncertainty."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Pruned
from service.search import choosing
from service.search.plan import Keeping
from service.search.pool import Pool

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Relaxed(Keeping):
    """Above the leaves keep what scores within base + slope · (1 − max π) of the K'-th best.

    EARS (arXiv 2512.13194), π being the softmax of the rewards: where no child stands out, the K'-th and the next are
    as good. Never fewer than K', at most `most` · K'; a request that needs fewer than another of its batch gets
    filler. base and slope in units of the score, at least 0; both 0 is guided search. Its width varies, so compare it
    at the compute it took.

    Raises:
        ValueError: base or slope below 0, most below 1.
    """

    base: float = 0.0
    slope: float = 1.0
    most: float = 2.0

    def __post_init__(self) -> None:
        if min(self.base, self.slope) < 0 or self.most < 1:
            raise ValueError(f"a margin is at least 0 and `most` at least 1, not {self}")

    def __call__(self, pool: Pool) -> Pruned:
        if pool.leaves:
            return pool.pruned()
        order = choosing.best(pool.score, int(self.most * pool.k_keep))
        scores = choosing.pick(pool.score, order)
        last = scores[:, min(pool.k_keep, scores.shape[1]) - 1, None]
        near = scores > last - self.margin(pool)[:, None]
        near[:, : pool.k_keep] = np.isfinite(scores[:, : pool.k_keep])
        return pool.chosen(order, near)

    def margin(self, pool: Pool) -> F32:
        """f32 [B], in units of the score."""
        margin: F32 = self.base + self.slope * (1 - surest(pool))
        return margin


def surest(pool: Pool) -> F32:
    """f32 [B]: the share of the child that the PRM rewards most, among all legal ones; 1 where there are none."""
    reward = np.where(pool.legal, pool.reward, np.float32(-np.inf))
    best = reward.max(1, keepdims=True, initial=np.float32(np.finfo(np.float32).min))
    total = np.exp(reward - best).sum(1, dtype=np.float64)  # so that filler moves no last bit
    share: F32 = (1 / np.maximum(total, 1)).astype(np.float32)
    return share
