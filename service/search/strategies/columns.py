"""One level of a search as columns on the host: cut to some requests, spread over a batch, opened anew, joined."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import HostTensor, Pruned
from service.search import choosing
from service.search.guided import Step

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]
Places = NDArray[Any]

NOTHING = np.float32(-np.inf)


@dataclass(frozen=True)
class Columns:
    """Children of one level [B,C]: node, log-probability (-inf = filler), reward (-inf for filler), kept or not.

    seconds: what it took to expand and to prune them.
    """

    node: I32
    log_prob: F32
    reward: F32
    kept: Bool
    seconds: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def of(step: Step) -> "Columns":
        """Of a level that the PRM pruned."""
        if step.pruned is None:
            raise RuntimeError("the PRM pruned no such level")
        node, log_prob = step.children.node.numpy(), step.children.log_prob.numpy()
        reward = np.where(np.isfinite(log_prob), step.pruned.all_rewards.numpy(), NOTHING)
        real = np.isfinite(step.kept.log_prob.numpy())
        kept = _marked(node.shape, step.pruned.order.numpy(), real)
        return Columns(node, log_prob, reward, kept, (step.expand_s, step.prune_s))

    @property
    def legal(self) -> Bool:
        """bool [B,C]: no filler"""
        return np.isfinite(self.log_prob)

    def rejected(self, values: F32) -> F32:
        """values [B,C] of what could have been kept and was not, -inf elsewhere."""
        return np.where(self.kept, NOTHING, np.where(self.legal, values, NOTHING))

    def score(self, weight: float) -> F32:
        """reward + weight · log-probability [B,C], -inf for filler."""
        return choosing.scores(self.reward, self.log_prob, weight)

    def rows(self, at: Places) -> "Columns":
        """These requests of the batch."""
        return self if len(at) == len(self.node) else self._each(lambda column: column[at])

    def spread(self, at: Places, batch: int) -> "Columns":
        """The requests as rows `at`, ascending, of a batch whose other rows hold only filler."""

        def wide(column: NDArray[Any]) -> NDArray[Any]:
            whole = np.full((batch, column.shape[1]), NOTHING if column.dtype == np.float32 else 0, column.dtype)
            whole[at] = column
            return whole

        return self if len(at) == batch else self._each(wide)

    def opened(self, promise: F32, count: int) -> "Columns":
        """The same children at no cost, kept the `count` of the highest promise [B,C]; -inf = not to be kept."""
        order = choosing.best(promise, count)
        kept = _marked(promise.shape, order, np.isfinite(choosing.pick(promise, order)))
        return replace(self, kept=kept, seconds=(0.0, 0.0))

    def also(self, other: "Columns") -> "Columns":
        """The same children, kept what either of the two keeps."""
        return replace(self, kept=self.kept | other.kept)

    def joined(self, other: "Columns") -> "Columns":
        """The children of both, each once, most probable first; kept what either kept. Seconds add up."""
        both = self._beside(other)._once()
        widest = int(both.legal.sum(1).max())
        return both._taken(np.argsort(-both.log_prob, axis=1, kind="stable")[:, : max(1, widest)])

    def step(self, level: int, weight: float) -> Step:
        """As a step that kept the kept ones by reward + weight · log-probability, best first."""
        score = np.where(self.kept, self.score(weight), NOTHING)
        order: Places = np.argsort(-score, axis=1, kind="stable")[:, : max(1, int(self.kept.sum(1).max()))]
        real = np.isfinite(choosing.pick(score, order))
        order = np.where(real, order, order[:, :1]).astype(
            np.int32
        )  # filler points at the best, not at a child that was not kept
        held = self._taken(order)
        kept = choosing.beams(held.node, np.where(real, held.log_prob, NOTHING))
        pruned = Pruned(kept, HostTensor(order), HostTensor(held.reward), HostTensor(self.reward))
        return Step(level, choosing.beams(self.node, self.log_prob), pruned, *self.seconds)

    def _beside(self, other: "Columns") -> "Columns":
        first, second = self.seconds, other.seconds
        node, kept = np.concatenate((self.node, other.node), 1), np.concatenate((self.kept, other.kept), 1)
        pairs = (self.log_prob, other.log_prob), (self.reward, other.reward)
        log_prob, reward = (np.concatenate(pair, 1) for pair in pairs)
        return Columns(node, log_prob, reward, kept, (first[0] + second[0], first[1] + second[1]))

    def _once(self) -> "Columns":
        """Of two equal children only the first."""
        name = np.where(self.legal, self.node, -1)
        order: Places = np.argsort(name, axis=1, kind="stable")
        name = choosing.pick(name, order)
        again = np.zeros_like(self.kept)
        again[:, 1:] = (name[:, 1:] == name[:, :-1]) & (name[:, 1:] >= 0)
        if not again.any():
            return self
        ordered = self._taken(order)
        kept = ordered.kept.copy()
        kept[:, :-1] |= again[:, 1:] & ordered.kept[:, 1:]
        log_prob, reward = (np.where(again, NOTHING, column) for column in (ordered.log_prob, ordered.reward))
        return replace(ordered, log_prob=log_prob, reward=reward, kept=kept & ~again)

    def _taken(self, order: Places) -> "Columns":
        return self._each(lambda column: choosing.pick(column, order))

    def _each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> "Columns":
        columns = change(self.node), change(self.log_prob), change(self.reward), change(self.kept)
        return Columns(*columns, self.seconds)


def _marked(shape: tuple[int, ...], order: Places, real: Bool) -> Bool:
    """bool [B,C]: the places [B,K] that are real."""
    marked = np.zeros((shape[0], shape[1] + 1), np.bool_)  # the last column takes the filler
    marked[np.arange(shape[0])[:, None], np.where(real, order, shape[1])] = True
    return marked[:, :-1]
