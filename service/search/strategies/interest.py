"""The predicted interest of the user as one more query of the PRM."""

from dataclasses import dataclass

import numpy as np

from service.engine.protocol import F32, Beams, Context, Engine, Pruned
from service.search import choosing
from service.search.plan import Keeping
from service.search.pool import Pool


@dataclass(frozen=True)
class Interested(Keeping):
    """Prune, and rank the leaves, by reward + weight · interest; the scoring rule then adds the log-probability.

    AMEN's next-interest flow (arXiv 2510.11317) predicts where a user is going as a vector: here a query that was
    trained on the next few items, where the reward's was trained on the next one. Both are logits of one level, whose
    free constants order nothing. A correction is given this sum in the reward's place. weight 0 is guided search.
    Needs an engine with votes.
    """

    weight: float = 0.5

    def __call__(self, pool: Pool) -> Pruned:
        reward = self.rewarded(pool.engine, pool.context, pool.children, pool.level, pool.reward)
        return pool.keep(choosing.scores(reward, pool.log_prob, pool.weight), reward=reward)

    def rewarded(self, engine: Engine, context: Context, children: Beams, level: int, reward: F32) -> F32:
        """The PRM's and, weighted, that of the interest query."""
        summed: F32 = reward + np.float32(self.weight) * engine.vote(context, children, level).interest
        return summed
