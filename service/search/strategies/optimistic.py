"""Expansion by what a child may be worth at best, ranking by what it is worth on average."""

from dataclasses import dataclass

import numpy as np

from service.engine.protocol import Pruned
from service.search.plan import Keeping
from service.search.pool import Pool
from service.search.votes import deviation


@dataclass(frozen=True)
class Optimistic(Keeping):
    """Above the leaves keep the K' children of highest score + beta · deviation of the votes; leaves rank by score.

    Generative Actor Critic (arXiv 2512.21527): look where the critic's optimistic quantile is high, decide by its mean.
    The votes of the PRM's bootstrap heads are normalised over the pool (service.search.votes), so the deviation is
    in nats as the reward is. beta 0 is guided search, below 0 a cautious one. Needs an engine with votes.
    """

    beta: float = 1.0

    def __call__(self, pool: Pool) -> Pruned:
        if pool.leaves:
            return pool.pruned()
        return pool.keep(pool.score + np.float32(self.beta) * deviation(pool.voted.votes, pool.legal))
