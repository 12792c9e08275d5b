"""From leaves to items: what breaks a rule is left out, and what a caller wants explained is explained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue
from service.engine.padding import newest_first, padded
from service.engine.protocol import F32, I32, Context, Engine
from service.explain import Explanation
from service.items import tokens
from service.search.explaining.evidence import evidence
from service.search.guided import Found
from service.search.legality import NONE, Banned
from service.search.spent import LevelSpent
from service.search.trie import Trie
from service.search.verification import RuleCheck, checks, verify
from service.tasks import Outcome, Scored, Task

Bools = NDArray[np.bool_]


class Listed(NamedTuple):
    """Items best first, how many were left out by the rule that they broke, and what the search spent."""

    items: tuple[Scored, ...]
    broken: Mapping[str, int]
    spent: tuple[LevelSpent, ...] = ()
    degraded: bool = False

    def checks(self) -> tuple[RuleCheck, ...]:
        """Rule by rule, on how many items it was tried and how many broke it."""
        return checks(len(self.items) + sum(self.broken.values()), self.broken)


def searched(trie: Trie, task: Task, found: Found, at: int, spent: tuple[LevelSpent, ...]) -> Listed:
    """What a search found for request `at` of its batch, which spent so much."""
    k = task.k
    node, log_prob, score = found.node[at, :k], found.log_prob[at, :k], found.score[at, :k]
    reward = None if found.reward is None else found.reward[at, :k]
    kept, broken = _verified(trie, task, node, score, log_prob != -np.inf)
    if not kept.all():
        node, log_prob, score = node[kept], log_prob[kept], score[kept]
        reward = None if reward is None else reward[kept]
    rewards = [None] * len(node) if reward is None else reward.tolist()
    rows = trie.rows(node).tolist()
    items = tuple(map(Scored, rows, score.tolist(), log_prob.tolist(), rewards))
    return Listed(items, broken, spent, found.degraded)


def scanned(trie: Trie, task: Task, node: I32, reward: F32) -> Listed:
    """What a scan found: nodes and rewards [n], best first, -inf = filler."""
    node, reward = node[: task.k], reward[: task.k]
    kept, broken = _verified(trie, task, node, reward, reward != -np.inf)
    rows, rewards = trie.rows(node[kept]).tolist(), reward[kept].tolist()
    return Listed(tuple(Scored(row, score, None, score) for row, score in zip(rows, rewards, strict=True)), broken)


def _verified(trie: Trie, task: Task, node: I32, score: F32, there: Bools) -> tuple[Bools, Mapping[str, int]]:
    """bool [n]: no filler, which is not `there`, and nothing that breaks a rule; and the rules that were broken."""
    if there.all():
        return verify(trie, task.banned, node, score)
    checked, kept = verify(trie, task.banned, node[there], score[there]), there.copy()
    kept[there] = checked.kept
    return kept, checked.broken


def explained(
    engine: Engine,
    catalogue: Catalogue,
    own: Context,
    task: Task,
    found: Found,
    at: int,
    outcome: Outcome,
    clock: Callable[[], float],
) -> Outcome:
    """The outcome of request `at` of a search, its items and levels explained; `own` is its context alone.

    What that takes counts as `items`.
    """
    started, plan = clock(), outcome.choice.plan
    if plan is None:
        raise RuntimeError("a scan has no levels to explain")

    def contexts(histories: Sequence[I32]) -> Context:
        return encoded(engine, catalogue, histories)

    known = evidence(engine, contexts, own, task.rows, found, at, plan, task.deadline.passed)
    why = Explanation(found, plan, engine.trie, known, catalogue.ids, at)
    leaves = engine.trie.row_leaf[[item.row for item in outcome.items]]
    paths = why.paths(leaves)
    items = tuple(item._replace(path=path) for item, path in zip(outcome.items, paths, strict=True))
    levels, seconds = why.levels(leaves), dict(outcome.seconds)
    seconds["items"] += clock() - started
    return replace(outcome, items=items, levels=levels, seconds=seconds)


def encoded(engine: Engine, catalogue: Catalogue, histories: Sequence[I32]) -> Context:
    """Histories of item rows, oldest first, encoded as one batch that may be shown everything."""
    codes, items, lengths = zip(*(tokens(catalogue, rows) for rows in histories), strict=True)
    length = np.concatenate(lengths)
    memory = engine.encode(padded(codes), padded(items), length)
    history = newest_first(histories, catalogue.learned) if engine.pool else None
    return engine.context(memory, length, [Banned(NONE)] * len(histories), history)
