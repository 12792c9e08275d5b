"""How a search came about, for `explain`: what each level expanded, what the PRM kept, and the path of every item."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.guided import Found, Step
from service.search.spent import LevelSpent, spent
from service.search.trie import Trie

SHOWN = 8  # candidates listed per level from either end: the most probable and the best rewarded

Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """One expanded prefix."""

    sid: tuple[int, ...]
    log_prob: float
    reward: float | None
    kept: bool
    rescued: bool


@dataclass(frozen=True)
class LevelTrace:
    """One level, 1-based: counts over the legal candidates, and the entropy in nats of the softmax of their rewards."""

    level: int
    expanded: int
    kept: int
    rescued: int
    entropy: float | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class PathStep:
    """An item's prefix as it stood at one level, 1-based."""

    level: int
    sid: tuple[int, ...]
    log_prob: float
    reward: float | None
    rescued: bool


class Explanation:
    """The trace of one request (`row` of the batch) of a search; built where the tensors live."""

    def __init__(self, found: Found, trie: Trie, row: int = 0) -> None:
        self._trie = trie
        self._levels = [_Level(step, spent(step)[row], trie, row) for step in found.steps]

    def levels(self) -> tuple[LevelTrace, ...]:
        return tuple(level.trace() for level in self._levels)

    def paths(self, leaves: NDArray[np.int32]) -> list[tuple[PathStep, ...]]:
        """For every leaf [n] the steps from depth 1 to the leaf."""
        columns = self._trie.path(leaves).T.tolist()
        steps = [level.steps(nodes) for level, nodes in zip(self._levels, columns, strict=True)]
        return list(zip(*steps, strict=True))


class _Level:
    """One step on the host, candidates in order of log-probability."""

    def __init__(self, step: Step, counts: LevelSpent, trie: Trie, row: int) -> None:
        children = step.children
        self.number, self.counts = step.level + 1, counts
        self.node = children.node.numpy()[row]
        self.sids = codes_of(trie, self.node, self.number)
        self.log_prob = children.log_prob.numpy()[row]
        self.legal: Bools = np.isfinite(self.log_prob)
        width = len(self.node)
        self.reward = step.pruned.all_rewards.numpy()[row] if step.pruned else None
        order = step.pruned.order.numpy()[row] if step.pruned else np.arange(width)
        self.kept: Bools = np.isin(np.arange(width), order) & self.legal
        self.rescued: Bools = self.kept & (np.arange(width) >= len(order))

    def trace(self) -> LevelTrace:
        shown, counts = tuple(self._candidate(at) for at in self._shown()), self.counts
        return LevelTrace(self.number, counts.expanded, counts.kept, counts.rescued, counts.entropy, shown)

    def steps(self, nodes: list[int]) -> list[PathStep]:
        at_node = {node: at for at, node in enumerate(self.node.tolist()) if self.legal[at]}
        return [self._step(at_node[node]) for node in nodes]

    def _shown(self) -> list[int]:
        likely = np.flatnonzero(self.legal)
        if self.reward is None:
            return [int(at) for at in likely[:SHOWN]]
        best = likely[np.argsort(-self.reward[likely], kind="stable")]
        wanted = set(likely[:SHOWN].tolist()) | set(best[:SHOWN].tolist())
        return [int(at) for at in best if at in wanted]

    def _reward(self, at: int) -> float | None:
        return None if self.reward is None else _round(self.reward[at])

    def _sid(self, at: int) -> tuple[int, ...]:
        return tuple(self.sids[at].tolist())

    def _candidate(self, at: int) -> Candidate:
        kept, saved = bool(self.kept[at]), bool(self.rescued[at])
        return Candidate(self._sid(at), _round(self.log_prob[at]), self._reward(at), kept, saved)

    def _step(self, at: int) -> PathStep:
        saved = bool(self.rescued[at])
        return PathStep(self.number, self._sid(at), _round(self.log_prob[at]), self._reward(at), saved)


def codes_of(trie: Trie, nodes: NDArray[np.int32], depth: int) -> NDArray[np.int32]:
    """The codes [n, depth] on the way from the root to nodes [n] of this depth."""
    codes = np.empty((len(nodes), depth), np.int32)
    for above in reversed(range(depth)):
        codes[:, above], nodes = trie.code[nodes], trie.parent[nodes]
    return codes


def _round(value: np.floating) -> float:
    return round(float(value), 6)
