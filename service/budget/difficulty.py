"""How hard a request is, read off level 1: every prefix of depth 1 with its log-probability and its reward.

Hard means that a wider search would find more. Every measure is 0 (easy) .. 1 (hard); a gauge is one of them, or a mix
of all with weights learned offline (models.walk) from how much of a list narrower tiers lose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from service.errors import StartError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

LEARNED = "learned"
HEAD = 20  # prefixes that a narrow tier keeps
TINY = 1e-12
FLOOR = -1e6  # the logit of filler: far below any other, and finite, so that share · logarithm is 0


@dataclass(frozen=True)
class Shares:
    """A distribution over prefixes [B,C] and its logarithm; filler has share 0 and a logarithm of about FLOOR."""

    share: F64
    log: F64

    @staticmethod
    def of(logits: NDArray[np.floating]) -> "Shares":
        """Softmax of finite logits [B,C]."""
        log: F64 = logits - logits.max(1, initial=FLOOR, keepdims=True)
        weight = np.exp(log)
        total = np.maximum(weight.sum(1, keepdims=True), TINY)
        return Shares(weight / total, log - np.log(total))

    def entropy(self) -> F64:
        """[B] in nats."""
        nats: F64 = -(self.share * self.log).sum(1)
        return nats


class Beliefs:
    """What the generator, the PRM and both together give each prefix.

    log_prob [B,C], -inf where a row is filler; reward [B,C] or, on a plain beam, None: then the generator speaks alone.
    """

    def __init__(self, log_prob: F32, reward: F32 | None) -> None:
        self.legal = log_prob > -np.inf
        self.generator = Shares.of(np.maximum(log_prob, FLOOR, dtype=np.float64))
        rewarded = None if reward is None else np.where(self.legal, reward, FLOOR).astype(np.float64)
        self.prm = self.generator if rewarded is None else Shares.of(rewarded)

    @cached_property
    def both(self) -> Shares:
        """The product, as pruning adds log-probabilities to rewards."""
        return Shares.of(self.generator.log + self.prm.log)

    @cached_property
    def choices(self) -> F64:
        """[B] the entropy of a uniform choice among as many candidates."""
        choices: F64 = np.log(np.maximum(self.legal.sum(1), 2))
        return choices


Measure = Callable[[Beliefs], F64]


@dataclass(frozen=True)
class Gauge:
    """`signal` names a measure of SIGNALS, or LEARNED: the logistic of bias + weights · measures + codes · shares,
    where `codes` holds a weight for every first code and the shares are the PRM's.

    Raises:
        StartError: there is no such measure.
    """

    signal: str = "entropy"
    bias: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    codes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in self.weights if self.signal == LEARNED else (self.signal,):
            if name not in SIGNALS:
                raise StartError(f"Difficulty cannot be measured by {name!r}; known are {', '.join(SIGNALS)}.")

    def __call__(self, log_prob: F32, reward: F32 | None, code: I32) -> F32:
        """Difficulty [B] in 0 .. 1 of requests whose level-1 prefixes have first codes `code` [B,C] (-1 for filler)."""
        beliefs = Beliefs(log_prob, reward)
        if self.signal != LEARNED:
            return _bounded(SIGNALS[self.signal](beliefs))
        mix = self.bias + (beliefs.prm.share * self._table[np.clip(code, -1, len(self.codes))]).sum(1)
        for name, weight in self.weights.items():
            mix = mix + weight * SIGNALS[name](beliefs)
        return _bounded(1.0 / (1.0 + np.exp(-np.clip(mix, -50.0, 50.0))))

    @cached_property
    def _table(self) -> F64:
        """A weight for every code, and nothing for codes never seen and for filler."""
        return np.array([*self.codes, 0.0, 0.0])


def _bounded(values: F64) -> F32:
    # What cannot be measured counts as hard.
    hard: F32 = np.clip(np.nan_to_num(values, nan=1.0), 0.0, 1.0).astype(np.float32)
    return hard


def _margin(beliefs: Beliefs) -> F64:
    """1 - how far the PRM's best stands above its second."""
    share = beliefs.prm.share
    if share.shape[1] < 2:
        return np.zeros(len(share))
    best = -np.partition(-share, 1, axis=1)[:, :2]
    margin: F64 = 1.0 - (best[:, 0] - best[:, 1])
    return margin


def _coverage(beliefs: Beliefs) -> F64:
    """What both together leave beyond their HEAD best."""
    share = beliefs.both.share
    if share.shape[1] <= HEAD:
        return np.zeros(len(share))
    tail: F64 = -np.partition(-share, HEAD - 1, axis=1)[:, HEAD:].sum(1)
    return tail


def _divergence(beliefs: Beliefs) -> F64:
    """How much the PRM would be surprised at the generator: 1 - exp(-KL)."""
    surprise = (beliefs.prm.share * (beliefs.prm.log - beliefs.generator.log)).sum(1)
    divergence: F64 = 1.0 - np.exp(-surprise)
    return divergence


def _disagreement(beliefs: Beliefs) -> F64:
    """Total variation between generator and PRM."""
    distance: F64 = 0.5 * np.abs(beliefs.generator.share - beliefs.prm.share).sum(1)
    return distance


SIGNALS: Mapping[str, Measure] = MappingProxyType(
    {
        "entropy": lambda beliefs: beliefs.prm.entropy() / beliefs.choices,
        "generator_entropy": lambda beliefs: beliefs.generator.entropy() / beliefs.choices,
        "joint_entropy": lambda beliefs: beliefs.both.entropy() / beliefs.choices,
        "margin": _margin,
        "coverage": _coverage,
        "divergence": _divergence,
        "disagreement": _disagreement,
    }
)


def difficulty(signal: str, log_prob: F32, reward: F32 | None) -> F32:
    """[B]: one measure by its name, without a gauge; raises StartError where there is none of that name."""
    return Gauge(signal)(log_prob, reward, np.zeros(log_prob.shape, np.int32))
