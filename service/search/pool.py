"""The children of one level, from which a strategy chooses: their rewards, votes and parents, on the host."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Beams, Context, Engine, HostTensor, Pruned, Voted
from service.search import choosing

if TYPE_CHECKING:
    from service.search.guided import Step
    from service.search.plan import Plan

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Pool:
    """Children [B,C] of a 0-based `level` under `plan`, and the steps before it.

    `k_keep`: how many to keep, at the leaves as many as the correction wants. `known`: rewards f32 [B,C] where they
    were made already.
    """

    engine: Engine
    context: Context
    children: Beams
    level: int
    plan: "Plan"
    k_keep: int
    steps: "Sequence[Step]" = ()
    known: F32 | None = None

    @property
    def leaves(self) -> bool:
        """Are these items?"""
        return self.level == len(self.plan.levels) - 1

    @property
    def weight(self) -> float:
        """Of the log-probability in the score."""
        return self.plan.weight(self.level)

    @cached_property
    def node(self) -> I32:
        """int32 [B,C]"""
        node: I32 = self.children.node.numpy()
        return node

    @cached_property
    def log_prob(self) -> F32:
        """f32 [B,C], -inf = filler"""
        log_prob: F32 = self.children.log_prob.numpy()
        return log_prob

    @cached_property
    def legal(self) -> Bool:
        """bool [B,C]: no filler"""
        return np.isfinite(self.log_prob)

    @cached_property
    def reward(self) -> F32:
        """f32 [B,C]; that of filler means nothing."""
        if self.known is not None:
            return self.known
        reward: F32 = self.engine.prune(self.context, self.children, self.level, 1, 0.0).all_rewards.numpy()
        return reward

    @cached_property
    def score(self) -> F32:
        """reward + weight · log-probability, f32 [B,C], -inf = filler"""
        return choosing.scores(self.reward, self.log_prob, self.weight)

    @cached_property
    def voted(self) -> Voted:
        """What the further heads say; only of an engine that has them."""
        return self.engine.vote(self.context, self.children, self.level)

    @cached_property
    def parent(self) -> I32:
        """int32 [B,C]: the place of every child's parent in the beam before; 0 at the first level and for filler."""
        if not self.steps:
            return np.zeros_like(self.node)
        above, before = self.engine.trie.parent[self.node], self.steps[-1].kept.node.numpy()
        places = [_places(row, kept) for row, kept in zip(above, before, strict=True)]
        return np.stack(places)

    def pruned(self) -> Pruned:
        """The k_keep best by score, as guided search keeps them; on the device where nothing is known yet."""
        if self.known is not None:
            return choosing.keep(self.node, self.log_prob, self.known, self.k_keep, self.weight)
        return self.engine.prune(self.context, self.children, self.level, self.k_keep, self.weight)

    def keep(self, score: F32, k_keep: int | None = None, reward: F32 | None = None) -> Pruned:
        """The best by another score [B,C], -inf = not to be kept; `reward` [B,C] takes the place of the PRM's.

        As many as the fullest row has, at most k_keep; the others get filler.
        """
        score = np.where(self.legal, score, np.float32(-np.inf)).astype(np.float32)
        order = choosing.best(score, k_keep or self.k_keep)
        return self.chosen(order, np.isfinite(choosing.pick(score, order)), reward)

    def chosen(self, order: I32, real: Bool, reward: F32 | None = None) -> Pruned:
        """The children at these places [B,k], best first; where not `real` [B,k], which is last, there is filler.

        As wide as the fullest row; `reward` as in `keep`.
        """
        reward = self.reward if reward is None else reward
        widest = max(1, int(real.sum(1).max()))
        order, real = order[:, :widest], real[:, :widest]
        log_prob = np.where(real, choosing.pick(self.log_prob, order), np.float32(-np.inf))
        kept = choosing.beams(choosing.pick(self.node, order), log_prob)
        places = HostTensor(order.astype(np.int64))  # the graph of a correction takes no other
        return Pruned(kept, places, HostTensor(choosing.pick(reward, order)), HostTensor(reward))

    def at(self, rewards: F32) -> "Pool":
        """The same children with these rewards [B,C] known."""
        return replace(self, known=rewards)


def _places(above: I32, kept: I32) -> I32:
    order = np.argsort(kept, kind="stable")
    places = order[np.searchsorted(kept, above, sorter=order).clip(max=len(kept) - 1)]
    found: I32 = np.where(kept[places] == above, places, 0).astype(np.int32)
    return found


def ranks(values: NDArray[np.floating[Any]]) -> I32:
    """int32 [B,C]: how many of a row [B,C] are larger, or equal and before it."""
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.empty(order.shape, np.int32)
    np.put_along_axis(ranked, order, np.arange(order.shape[1], dtype=np.int32)[None], axis=1)
    return ranked
