"""Choosing the best of a level on the host: pure array work, in a total order (score, then place)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Beams, HostTensor, Pruned

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

NO_WEIGHT = 1e-30  # of the log-probability: changes no finite score, and keeps filler at -inf
SORTED_WHOLE = 1024  # below, sorting a row whole is quicker than finding its best first


def best(values: F32, count: int) -> I32:
    """[B, count] places of the largest values [B,C], best first, the first of equals first; all C of fewer."""
    if values.shape[1] <= max(SORTED_WHOLE, 2 * count):
        return np.argsort(-values, axis=1, kind="stable")[:, :count].astype(np.int32)
    return np.stack([_best_of_row(-row, count) for row in values])


def _best_of_row(costs: F32, count: int) -> I32:
    places = np.flatnonzero(costs <= np.partition(costs, count - 1)[count - 1])
    return places[np.argsort(costs[places], kind="stable")][:count].astype(np.int32)


def scores(reward: F32, log_prob: F32, weight: float) -> F32:
    """reward + weight · log-probability, any shape; -inf where there is only filler."""
    return reward + np.float32(weight or NO_WEIGHT) * log_prob


def keep(node: I32, log_prob: F32, reward: F32, k_keep: int, weight: float) -> Pruned:
    """Prune children [B,C] that are on the host."""
    order = best(scores(reward, log_prob, weight), k_keep)
    kept = beams(pick(node, order), pick(log_prob, order))
    return Pruned(kept, HostTensor(order), HostTensor(pick(reward, order)), HostTensor(reward))


def beams(node: I32, log_prob: F32) -> Beams:
    """Prefixes on the host."""
    return Beams(HostTensor(node), HostTensor(log_prob), node.shape[1])


def pick(values: NDArray[Any], order: I32) -> NDArray[Any]:
    """values [B,C] at places [B,k]."""
    if len(values) == 1:  # take_along_axis costs ten times as much as what it does
        return np.take(values[0], order)
    picked: NDArray[Any] = np.take_along_axis(values, order, axis=1)
    return picked
