"""Prefixes on which the generator and the PRM disagree give way to the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Pruned
from service.search.plan import Keeping
from service.search.pool import Pool, ranks

Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Consistent(Keeping):
    """Above the leaves keep the K' best children on which both agree, and others only where these are too few.

    REG4Rec (arXiv 2508.15308) drops paths whose steps its two views of a user do not both support. Here they disagree
    on a child whose rank by log-probability and rank by reward are further apart than `share`, 0 … 1, of the request's
    legal children. At 1 nothing is, and it is guided search.

    Raises:
        ValueError: no share.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not {self.share}")

    def __call__(self, pool: Pool) -> Pruned:
        if pool.leaves:
            return pool.pruned()
        # All that agree, then all others, both by score.
        place = ranks(pool.score) + pool.score.shape[1] * self.disagree(pool)
        return pool.keep(-place.astype(np.float32))

    def disagree(self, pool: Pool) -> Bool:
        """bool [B,C]; filler means nothing."""
        legal = pool.legal
        by_reward = ranks(np.where(legal, pool.reward, np.float32(-np.inf)))
        by_log_prob = np.arange(legal.shape[1], dtype=np.int32)  # children come most probable first
        apart: Bool = np.abs(by_reward - by_log_prob) > self.share * legal.sum(1, keepdims=True)
        return apart
