"""What a level spent and how sure the PRM was, for metrics and traces; pure, over batches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.guided import Step

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class LevelSpent:
    """One level of one request: legal candidates expanded, prefixes kept, how many of them the PRM rescued.

    A prefix is *rescued* when the PRM kept it although its log-probability alone would have cut it from the beam.
    `entropy`: nats of the softmax of all candidates' rewards, None on a plain beam.
    """

    level: int
    expanded: int
    kept: int
    rescued: int
    entropy: float | None


def spent(step: Step) -> list[LevelSpent]:
    """One entry per request of the batch; `level` is 1-based."""
    expanded = np.isfinite(step.children.log_prob.numpy()).sum(1).tolist()
    legal = np.isfinite(step.kept.log_prob.numpy())
    kept, number = legal.sum(1).tolist(), step.level + 1
    if step.pruned is None:
        return [LevelSpent(number, *counts, 0, None) for counts in zip(expanded, kept, strict=True)]
    order = step.pruned.order.numpy()
    rescued = ((order >= order.shape[1]) & legal).sum(1).tolist()
    unsure = entropy(step.pruned.all_rewards.numpy(), step.children.log_prob.numpy()).tolist()
    columns = zip(expanded, kept, rescued, unsure, strict=True)
    return [LevelSpent(number, *values[:3], round(values[3], 6)) for values in columns]


def entropy(reward: F32, log_prob: F32) -> F32:
    """[B]: nats of the softmax over the rewards [B,C] of legal candidates (log_prob > -inf); 0 where there are none."""
    legal = np.isfinite(log_prob)
    shown = np.where(legal, reward, np.float32(-np.inf))
    best = np.max(shown, axis=1, keepdims=True, initial=np.float32(np.finfo(np.float32).min))
    weight = np.where(legal, np.exp(np.where(legal, shown - best, 0)), 0)
    total = np.maximum(weight.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    p = weight / total
    nats: F32 = -(p * np.log(np.maximum(p, np.finfo(np.float32).tiny))).sum(1)
    return nats
