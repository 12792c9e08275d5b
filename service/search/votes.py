"""What the votes of a PRM's heads say of the children of one level: pure array work over a pool.

Several verdicts and their mean are the votes of GenPRM (arXiv 2504.00891). The votes of a level are logits, each with
a free constant of its own, so they are compared as shares of the pool.
"""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

LOWEST = np.float32(np.finfo(np.float32).min)


def shares(votes: F32, legal: Bool) -> F32:
    """f32 [B,C,M], nats: the log-softmax of every vote [B,C,M] over the legal children [B,C]; -inf for filler."""
    masked = np.where(legal[..., None], votes, np.float32(-np.inf))
    below = masked - masked.max(1, keepdims=True, initial=LOWEST)
    total = np.maximum(np.exp(below).sum(1, keepdims=True), np.finfo(np.float32).tiny)
    logs: F32 = below - np.log(total)
    return logs


def deviation(votes: F32, legal: Bool) -> F32:
    """f32 [B,C], nats: how far apart the votes are, the standard deviation of a child's log-shares; 0 for filler."""
    apart: F32 = np.where(legal[..., None], shares(votes, legal), np.float32(0)).std(2)
    return apart


def agreement(votes: F32, legal: Bool) -> F32:
    """f32 [B]: the share of the votes whose best child is the best of their mean; 1 where there are no children."""
    masked = np.where(legal[..., None], votes, np.float32(-np.inf))
    best = masked.argmax(1)
    agreed: F32 = (best == masked.mean(2).argmax(1)[:, None]).mean(1, dtype=np.float32)
    return agreed
