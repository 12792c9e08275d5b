"""Backtracking: exact where shares are, no dive where none is called for, and what a dive costs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import KnowingEngine, nodes, same
from random_tries import EVERYTHING, RULES, Case, cases

from service.engine.protocol import Beams
from service.search.guided import search
from service.search.plan import Level, Plan
from service.search.strategies.backtrack import Backtracked, narrow

WIDTHS = st.tuples(st.integers(1, 4), st.integers(0, 12)).map(lambda pair: Level(pair[0], sum(pair)))
ALWAYS, NEVER = -1e9, float("inf")


@st.composite
def plans(draw: st.DrawFn, depth: int) -> Plan:
    return Plan(tuple(draw(WIDTHS) for _ in range(depth)), rule=draw(st.sampled_from(RULES)))


def knowing(case: Case) -> tuple[KnowingEngine, Case]:
    """An engine that knows the tree, and the same requests with nothing hidden."""
    shown = [type(each)(np.zeros(0, np.int32)) for each in case.context.banned]
    engine, context = KnowingEngine(case.engine.trie), replace(case.context, banned=shown)
    return engine, replace(case, engine=engine, context=context)


@given(case=cases(), k=st.integers(1, 6), width=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_with_true_shares_it_ends_with_the_best_of_all(case: Case, k: int, width: int) -> None:
    engine, case = knowing(case)
    plan = Plan((Level(1, EVERYTHING),) * case.depth, finishing=Backtracked(ALWAYS, EVERYTHING, width))
    found = search(engine, case.context, plan, k)
    for row in range(case.context.batch):
        best = np.sort(engine.shares(case.context, row)[engine.trie.first_leaf :])[::-1][:k]
        real = np.isfinite(found.log_prob[row])
        assert np.allclose(engine.shares(case.context, row)[found.node[row, real]], best, rtol=1e-4)


@given(case=cases(most=1), k=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_what_cannot_hold_a_better_item_is_never_opened(case: Case, k: int) -> None:
    engine, case = knowing(case)
    plan = Plan((Level(1, EVERYTHING),) * case.depth).at_least(k)
    first, last = (
        search(engine, case.context, x, k) for x in (plan, replace(plan, finishing=Backtracked(ALWAYS, EVERYTHING, 1)))
    )
    shares = engine.shares(case.context, 0)
    worst = np.sort(shares[engine.trie.first_leaf :])[::-1][:k].min()
    for one, two in zip(first.steps[:-1], last.steps[:-1], strict=True):
        opened = kept(two.kept) - kept(one.kept)
        # Below a prefix opened anew the dive keeps k, whatever they hold.
        if one.level == 0:
            assert all(shares[node] > worst * (1 - 1e-4) for node in opened)


def kept(beams: Beams) -> set[int]:
    return nodes(beams.node.numpy()[0], beams.log_prob.numpy()[0])


@given(data=st.data(), case=cases(), k=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_where_nothing_drops_or_no_pass_is_left_it_is_the_first_dive(data: st.DataObject, case: Case, k: int) -> None:
    plan = data.draw(plans(case.depth))
    first = search(case.engine, case.context, plan, k)
    for other in (Backtracked(NEVER, 9), Backtracked(ALWAYS, 0)):
        found = search(case.engine, case.context, replace(plan, finishing=other), k)
        for row in range(len(case.legal)):
            same(found, row, first, row)


@given(data=st.data(), case=cases(), k=st.integers(1, 6), drop=st.floats(-1, 4))
@settings(max_examples=80, deadline=None)
def test_more_passes_and_a_smaller_drop_never_make_a_list_worse(
    data: st.DataObject, case: Case, k: int, drop: float
) -> None:
    plan = data.draw(plans(case.depth))
    found = [
        search(case.engine, case.context, replace(plan, finishing=Backtracked(*numbers)), k)
        for numbers in ((drop, 1), (drop, 4), (drop - 1, 4))
    ]
    for fewer, more in pairwise(found):
        real = np.isfinite(fewer.score)
        assert (more.score[real] >= fewer.score[real] - 1e-6).all()


@given(data=st.data(), case=cases(most=1), passes=st.integers(0, 4), width=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_it_never_opens_more_than_it_may(data: st.DataObject, case: Case, passes: int, width: int) -> None:
    plan = data.draw(plans(case.depth))
    first, last = (
        search(case.engine, case.context, replace(plan, finishing=Backtracked(ALWAYS, n, width)), 1)
        for n in (0, passes)
    )
    grown = [len(kept(two.kept)) - len(kept(one.kept)) for one, two in zip(first.steps, last.steps, strict=True)]
    assert grown[0] <= passes * width
    opened = sum(grown[:-1])
    assert opened <= passes * max(width, width + sum(level.k_keep for level in plan.levels[1:-1]))


def test_a_dive_is_narrow_above_the_leaves_alone() -> None:
    plan = Plan((Level(50, 800), Level(50, 800), Level(50, 200)))
    assert narrow(plan, 8).levels == (Level(6, 800), Level(6, 100), Level(50, 200))
    assert narrow(plan, 100).levels == (Level(1, 800), Level(1, 8), Level(50, 200))
    assert narrow(plan, 1) == plan
