"""Do doubts tell more of who needs a wide search than what the budget reads off level 1 already?"""

from collections.abc import Mapping

import numpy as np

from models import walk
from models.evaluation.tiers import MIX
from models.evaluation.voted import First
from models.metrics import F64, Bool
from service.budget.difficulty import SIGNALS, Beliefs

Doubts = Mapping[str, F64]


def learned(known: tuple[First, Doubts], wider: Bool, asked: tuple[First, Doubts]) -> F64:
    """[V]: the service's learned difficulty of the users asked about, with doubts as further measures.

    Learned from users [U] of whom it is known if a wide search found more. Without doubts it is what ships.
    """
    weights = walk.learn(tuple(str(n) for n in range(len(MIX) + len(known[1]))), *_columns(*known), wider.astype(float))
    measures, shares = _columns(*asked)
    slope = np.array([weights.weights[str(n)] for n in range(measures.shape[1])])
    difficulty: F64 = measures @ slope + shares @ np.array(weights.codes)
    return difficulty


def _columns(first: First, doubts: Doubts) -> tuple[F64, F64]:
    """Measures [U,S] and the PRM's share of every prefix [U,C]."""
    beliefs = Beliefs(first.log_prob, first.reward)
    return np.stack([*(SIGNALS[name](beliefs) for name in MIX), *doubts.values()], 1), beliefs.prm.share
