"""How hard a request is, read off level 1: every prefix of depth 1 with its log-probability and its reward."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Signal = Callable[[F64, F64], F64]

HEAD = 10  # prefixes that the narrowest tiers keep
TINY = 1e-300


def difficulty(signal: str, log_prob: F32, reward: F32 | None) -> F32:
    """[B] in 0 (easy) .. 1 (hard) from log_prob [B,C], -inf where a row is filler, and reward [B,C].

    Without rewards (a plain beam) the log-probabilities stand in for them.

    Raises:
        KeyError: `signal` is not one of SIGNALS.
    """
    generator = _probability(log_prob)
    prm = generator if reward is None else _probability(np.where(np.isneginf(log_prob), log_prob, reward))
    measured = np.clip(np.nan_to_num(SIGNALS[signal](generator, prm), nan=1.0), 0.0, 1.0)
    hard: F32 = measured.astype(np.float32)
    return hard


def _probability(logits: F32) -> F64:
    """Softmax over each row; filler (-inf) gets 0, a row of filler only is all 0."""
    values = logits.astype(np.float64)
    top = np.max(values, axis=1, initial=-np.inf, keepdims=True)
    weights: F64 = np.exp(values - np.where(np.isfinite(top), top, 0.0))
    shares: F64 = weights / np.maximum(weights.sum(1, keepdims=True), TINY)
    return shares


def _entropy(p: F64) -> F64:
    """Shannon entropy against that of a uniform choice among as many candidates."""
    choices = np.maximum((p > 0).sum(1), 2)
    entropy: F64 = -(p * np.log(np.maximum(p, TINY))).sum(1) / np.log(choices)
    return entropy


def _margin(p: F64) -> F64:
    """1 - how far the best stands above the second."""
    best = -np.sort(-p, axis=1)[:, :2]
    return 1.0 - (best[:, 0] - best[:, 1]) if best.shape[1] > 1 else np.zeros(len(p))


def _tail(p: F64) -> F64:
    """Mass beyond the HEAD best."""
    return 1.0 - -np.sort(-p, axis=1)[:, :HEAD].sum(1, initial=0.0) if p.shape[1] else np.zeros(len(p))


def _disagreement(generator: F64, prm: F64) -> F64:
    """Total variation between what the generator and the PRM believe."""
    distance: F64 = 0.5 * np.abs(generator - prm).sum(1)
    return distance


SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {
        "entropy": lambda _, prm: _entropy(prm),
        "generator_entropy": lambda generator, _: _entropy(generator),
        "margin": lambda _, prm: _margin(prm),
        "coverage": lambda _, prm: _tail(prm),
        "disagreement": _disagreement,
    }
)
