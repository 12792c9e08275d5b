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
    log_prob = step.children.log_prob.numpy()
    expanded, kept = _legal(log_prob), _legal(step.kept.log_prob.numpy())
    number = step.level + 1
    if step.pruned is None:
        return [LevelSpent(number, *counts, 0, None) for counts in zip(expanded, kept, strict=True)]
    order = step.pruned.order.numpy()
    rescued = [int(np.count_nonzero(row[:count] >= count)) for row, count in zip(order, kept, strict=True)]
    full = min(expanded) == log_prob.shape[1]
    unsure = entropy(step.pruned.all_rewards.numpy(), None if full else log_prob).tolist()
    columns = zip(expanded, kept, rescued, unsure, strict=True)
    return [LevelSpent(number, *values[:3], round(values[3], 6)) for values in columns]


def _legal(log_prob: F32) -> list[int]:
    """How many of each row [B,C] are no filler. Filler comes last, so a row that ends in a prefix is full."""
    if np.isfinite(log_prob[:, -1]).all():
        return [log_prob.shape[1]] * len(log_prob)
    counts: list[int] = np.isfinite(log_prob).sum(1).tolist()
    return counts


def entropy(reward: F32, log_prob: F32 | None = None) -> F32:
    """[B]: nats of the softmax over the rewards [B,C] of legal candidates; 0 where there are none.

    Legal are those of log_prob > -inf, all of them without `log_prob`.
    """
    if log_prob is not None:
        reward = np.where(np.isfinite(log_prob), reward, np.float32(-np.inf))
    best = reward.max(axis=1, keepdims=True, initial=np.float32(np.finfo(np.float32).min))
    below = reward - best
    weight = np.exp(below)
    total = np.maximum(weight.sum(1), np.finfo(np.float32).tiny)
    # The log of the total, less the mean of the logits; the impossible ones weigh nothing, and 0 · -inf is no number.
    mean = (weight * np.maximum(below, np.float32(-1e4))).sum(1) / total
    nats: F32 = np.maximum(np.log(total) - mean, 0)
    return np.where(weight.any(1), nats, np.float32(0))
