"""Searches over random small tries, drawn by hypothesis, and what an exhaustive one must find."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.fake import FakeEngine
from service.engine.protocol import Beams, Context, Pruned
from service.search import choosing
from service.search.guided import Deadline, Found, Step, step
from service.search.plan import Plan, Rule
from service.search.pool import Pool
from service.search.staged import begin, descend, first_level
from service.search.trie import banned, build

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
EVERYTHING = 200  # wider than any level drawn here
RULES = (Rule(), Rule(0.3, 1.0), Rule(0.0, 1.0))


@dataclass(frozen=True)
class Case:
    """An engine, a batch of requests, and the item rows (1-based) that each may be shown."""

    engine: FakeEngine
    context: Context
    legal: tuple[frozenset[int], ...]

    @property
    def depth(self) -> int:
        return self.engine.depth

    def alone(self, row: int) -> Context:
        return self.engine.take(self.context, [row])

    def rows(self, found: Found, row: int) -> list[int]:
        """Item rows of a list, best first."""
        real = np.isfinite(found.log_prob[row])
        listed: list[int] = self.engine.trie.rows(found.node[row, real]).tolist()
        return listed

    def leaves(self) -> Beams:
        """Every legal leaf with its log-probability, level by level and without the PRM."""
        beams = self.engine.root(self.context.batch)
        for level in range(self.depth):
            beams = self.engine.expand(self.context, beams, level, EVERYTHING)
        return beams

    def exact(self, row: int, rule: Rule, interest: float = 0.0) -> list[int]:
        """Item rows by reward + interest · predicted interest + weight · log-probability of all legal leaves."""
        leaves, last = self.leaves(), self.depth - 1
        node, log_prob = leaves.node.numpy(), leaves.log_prob.numpy()
        reward = self.engine.prune(self.context, leaves, last, 1, 0.0).all_rewards.numpy()
        reward = reward + np.float32(interest) * self.engine.vote(self.context, leaves, last).interest
        score = choosing.scores(reward, log_prob, rule.leaf)[row]
        order = np.argsort(-score, kind="stable")[: len(self.legal[row])]
        ranked: list[int] = self.engine.trie.rows(node[row, order]).tolist()
        return ranked


@st.composite
def cases(draw: st.DrawFn, most: int = 4, depths: tuple[int, int] = (2, 3)) -> Case:
    """1 to `most` requests over a trie of 2 or 3 levels and at most 40 items."""
    depth, codes = draw(st.integers(*depths)), draw(st.integers(2, 6))
    paths = sorted(draw(st.sets(st.integers(0, codes**depth - 1), min_size=1, max_size=40)))
    sids = np.stack(np.unravel_index(paths, (codes,) * depth), axis=1).astype(np.int32)
    row = st.integers(1, len(sids))
    histories = draw(st.lists(st.lists(row, min_size=1, max_size=4), min_size=1, max_size=most))
    hidden = [draw(st.sets(row, max_size=len(sids) // 2)) for _ in histories]
    return made_case(sids, histories, hidden)


def made_case(sids: I32, histories: list[list[int]], hidden: list[set[int]]) -> Case:
    """The items of these histories stay legal: only the hidden rows are not."""
    trie = build(sids)
    engine = FakeEngine(trie)
    lengths = np.array([len(rows) for rows in histories], np.int32)
    items = np.array([[*rows, *[0] * (int(lengths.max()) - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, sids[items - 1], 0).astype(np.int32)
    context = engine.context(engine.encode(codes, items, lengths), lengths, [banned(trie, rows) for rows in hidden])
    legal = tuple(frozenset(range(1, len(sids) + 1)) - rows for rows in hidden)
    return Case(engine, context, legal)


def online(case: Case, plan: Plan, k: int) -> Iterator[tuple[int, int, Found]]:
    """(row, place in the result, result) of a batch searched as the service does: a shared first level, then groups."""
    engine, batch = case.engine, case.context
    first = first_level(engine, batch, engine.trie.branching(0), True, lambda: 0.0)
    group = begin(engine, batch, first, range(batch.batch), plan.at_least(k), k)
    for rows, found in descend(engine, batch, group, [Deadline()] * batch.batch, lambda: 0.0):
        yield from ((row, place, found) for place, row in enumerate(rows))


def pool_of(case: Case, plan: Plan, level: int = 0) -> Pool:
    """The children from which a search would choose at a level."""
    engine, beams = case.engine, case.engine.root(case.context.batch)
    steps: list[Step] = []
    for above in range(level):
        steps.append(step(engine, case.context, beams, above, plan, lambda: 0.0, steps))
        beams = steps[-1].kept
    widths = plan.levels[level]
    children = engine.expand(case.context, beams, level, widths.k_plus)
    return Pool(engine, case.context, children, level, plan, widths.k_keep, steps)


def kept_of(pruned: Pruned, row: int) -> set[int]:
    """The nodes of one request's beam."""
    real = np.isfinite(pruned.kept.log_prob.numpy()[row])
    return set(pruned.kept.node.numpy()[row, real].tolist())
