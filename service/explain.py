"""How a search came about, for `explain`: what each level expanded, kept and refused, and why it liked what it kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.explaining.evidence import Evidence, Said
from service.search.explaining.influence import Moved, kept_at, legal
from service.search.explaining.rejected import Lost, rejected
from service.search.guided import Found, Step
from service.search.plan import Plan
from service.search.spent import spent
from service.search.trie import Trie

SHOWN = 8  # candidates listed per level from either end: the most probable and the best rewarded
NAMED = 3  # history items named per prefix


Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Because:
    """An item of the history, and how a prefix's log share of its level's rewards changes, in nats, without that item:
    below 0 it spoke for the prefix. Those that spoke most for it come first.
    """

    item_id: str
    change: float


@dataclass(frozen=True)
class Candidate:
    """One expanded prefix. Of leaves that a correction ranks anew the reward is the one before it."""

    sid: tuple[int, ...]
    log_prob: float
    reward: float | None
    kept: bool
    rescued: bool


@dataclass(frozen=True)
class Rejected:
    """The best candidate that was not kept, and by how much its score lost to that of the last one kept."""

    sid: tuple[int, ...]
    log_prob: float
    reward: float
    lost_by: float


@dataclass(frozen=True)
class LevelTrace:
    """One level, 1-based: counts over the legal candidates, and the entropy in nats of the softmax of their rewards.

    `because`: the history items that spoke most for the best item's prefix. agreement: the share of the PRM's votes
    whose best candidate is the best of their mean; deviation: of that candidate's log share over the votes, in nats.
    All are null where no PRM chose; the last two also where it has no votes, the first where no time was left.
    """

    level: int
    expanded: int
    kept: int
    rescued: int
    entropy: float | None
    candidates: tuple[Candidate, ...]
    rejected: Rejected | None
    agreement: float | None
    deviation: float | None
    because: tuple[Because, ...] | None


@dataclass(frozen=True)
class PathStep:
    """An item's prefix as it stood at one level, 1-based; `because` as in the level, for this item's prefix."""

    level: int
    sid: tuple[int, ...]
    log_prob: float
    reward: float | None
    rescued: bool
    because: tuple[Because, ...] | None


class Explanation:
    """The trace of request `row` of a search under `plan`, with the evidence on it; `ids`: names of item rows."""

    def __init__(
        self, found: Found, plan: Plan, trie: Trie, evidence: Evidence, ids: Sequence[str], row: int = 0
    ) -> None:
        self._trie = trie
        names = [ids[left_out - 1] for left_out in evidence.left_out]
        levels = zip(found.steps, evidence.levels, strict=True)
        self._levels = [_Level(step, plan, trie, said, names, row) for step, said in levels]

    def levels(self, leaves: NDArray[np.int32]) -> tuple[LevelTrace, ...]:
        """Of a search that gave these leaves [n], best first."""
        best = self._trie.path(leaves[:1]).tolist() or [[None] * len(self._levels)]
        return tuple(level.trace(node) for level, node in zip(self._levels, best[0], strict=True))

    def paths(self, leaves: NDArray[np.int32]) -> list[tuple[PathStep, ...]]:
        """For every leaf [n] the steps from depth 1 to the leaf, as far as the search knew its prefixes."""
        columns = self._trie.path(leaves).T.tolist()
        steps = [level.steps(nodes) for level, nodes in zip(self._levels, columns, strict=True)]
        return [tuple(step for step in path if step) for path in zip(*steps, strict=True)]


class _Level:
    """One step on the host, candidates in order of log-probability."""

    def __init__(self, step: Step, plan: Plan, trie: Trie, said: Said, names: Sequence[str], row: int) -> None:
        children, self.number = step.children, step.level + 1
        self.counts, self.votes = spent(step)[row], said.votes
        self.node = children.node.numpy()[row]
        self.trie, self.log_prob = trie, children.log_prob.numpy()[row]
        self.legal: Bools = legal(trie, step, row)
        places = np.arange(len(self.node))
        self.reward = step.pruned.all_rewards.numpy()[row] if step.pruned else None
        self.final = _final(step, row)
        self.kept: Bools = np.isin(places, kept_at(step.pruned, row)) if step.pruned else self.legal
        self.rescued: Bools = self.kept & (places >= self.counts.kept)
        self.reasons = _Reasons(said.moved, names)
        judged = said.moved is not None or not plan.rescores(step.level)
        self.lost = rejected(trie, step, plan.weight(step.level), row, said.moved) if judged else None

    def trace(self, best: int | None) -> LevelTrace:
        """`best`: the node here of the best item, if there is one."""
        counts, votes = self.counts, self.votes
        return LevelTrace(
            level=self.number,
            expanded=counts.expanded,
            kept=counts.kept,
            rescued=counts.rescued,
            entropy=counts.entropy,
            candidates=tuple(self._candidate(at) for at in self._shown()),
            rejected=None if self.lost is None else self._rejected(self.lost),
            agreement=None if votes is None else _round(votes.share),
            deviation=None if votes is None else _round(votes.deviation),
            because=None if best is None else self.reasons(best),
        )

    def steps(self, nodes: list[int]) -> list[PathStep | None]:
        at_node = {node: at for at, node in enumerate(self.node.tolist()) if self.legal[at]}
        return [self._step(at_node[node], node) if node in at_node else None for node in nodes]

    def _shown(self) -> list[int]:
        likely = np.flatnonzero(self.legal)
        if self.reward is None:
            return [int(at) for at in likely[:SHOWN]]
        best = likely[np.argsort(-self.reward[likely], kind="stable")]
        wanted = set(likely[:SHOWN].tolist()) | set(best[:SHOWN].tolist())
        return [int(at) for at in best if at in wanted]

    def _sid(self, at: int) -> tuple[int, ...]:
        return tuple(codes_of(self.trie, self.node[at : at + 1], self.number)[0].tolist())

    def _candidate(self, at: int) -> Candidate:
        reward = None if self.reward is None else _round(self.reward[at])
        return Candidate(self._sid(at), _round(self.log_prob[at]), reward, bool(self.kept[at]), bool(self.rescued[at]))

    def _rejected(self, lost: Lost) -> Rejected:
        return Rejected(self._sid(lost.at), _round(self.log_prob[lost.at]), _round(lost.reward), _round(lost.by))

    def _step(self, at: int, node: int) -> PathStep:
        reward = None if self.final is None else _round(self.final[at])
        log_prob, why = _round(self.log_prob[at]), self.reasons(node)
        return PathStep(self.number, self._sid(at), log_prob, reward, bool(self.rescued[at]), why)


class _Reasons:
    """The items without which a prefix loses most; None where nothing was asked.

    Those that spoke against it are not among them, strong as they may be: all three named are to be reasons of one
    kind, so that what they did together is no less than what each did (figures: promise bench explain).
    """

    def __init__(self, moved: Moved | None, names: Sequence[str]) -> None:
        self._moved, self._names = moved, names
        self._place = {} if moved is None else {node: at for at, node in enumerate(moved.weighed.node.tolist())}
        self._found: dict[int, tuple[Because, ...]] = {}

    def __call__(self, node: int) -> tuple[Because, ...] | None:
        if self._moved is None:
            return None
        if node not in self._found:
            at = self._place.get(node)
            self._found[node] = () if at is None else self._named(self._moved.change[:, at])
        return self._found[node]

    def _named(self, change: NDArray[np.float32]) -> tuple[Because, ...]:
        order = np.argsort(change, kind="stable")[:NAMED].tolist()
        return tuple(Because(self._names[item], _round(change[item])) for item in order)


def _final(step: Step, row: int) -> NDArray[np.float32] | None:
    """Rewards of the children, of those that were kept the ones they were kept with."""
    if step.pruned is None:
        return None
    final: NDArray[np.float32] = step.pruned.all_rewards.numpy()[row].copy()
    kept = kept_at(step.pruned, row)
    final[kept] = step.pruned.reward.numpy()[row, : len(kept)]
    return final


def codes_of(trie: Trie, nodes: NDArray[np.int32], depth: int) -> NDArray[np.int32]:
    """The codes [n, depth] on the way from the root to nodes [n] of this depth."""
    codes = np.empty((len(nodes), depth), np.int32)
    for above in reversed(range(depth)):
        codes[:, above], nodes = trie.code[nodes], trie.parent[nodes]
    return codes


def _round(value: np.floating | float) -> float:
    return round(float(value), 6)
