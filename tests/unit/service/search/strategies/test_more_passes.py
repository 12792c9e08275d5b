"""What all strategies of more than one pass have in common, against guided search and the exact ranking."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import assert_good_lists, same
from random_tries import EVERYTHING, RULES, Case, cases, online

from service.engine.fake import FakeEngine
from service.engine.protocol import I32, Context, Engine
from service.explain import Explanation
from service.search.explaining.evidence import evidence
from service.search.guided import Deadline, Found, search
from service.search.plan import Level, Plan
from service.search.spent import spent
from service.search.strategies.backtrack import Backtracked, narrow
from service.search.strategies.refine import Refined

Way = Callable[[Plan], Plan]
WAYS: dict[str, Way] = {
    "refined": lambda plan: replace(plan, finishing=Refined(3)),
    "refined by one": lambda plan: replace(plan, finishing=Refined(2, width=1)),
    "backtracked": lambda plan: replace(narrow(plan, 3), finishing=Backtracked(0.5, 3)),
    "backtracked by two": lambda plan: replace(plan, finishing=Backtracked(-9.0, 6, width=2)),
}
WIDTHS = st.tuples(st.integers(1, 6), st.integers(0, 12)).map(lambda pair: Level(pair[0], sum(pair)))
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
rescored = st.sampled_from((0, 0, 4, 12))


@st.composite
def plans(draw: st.DrawFn, depth: int, way: Way) -> Plan:
    levels = tuple(draw(WIDTHS) for _ in range(depth))
    depths = draw(st.sampled_from((None, None, None, (depth - 1,))))
    return way(Plan(levels, rule=draw(st.sampled_from(RULES)), depths=depths, rescore=draw(rescored)))


def correcting(case: Case) -> Case:
    """The same requests for an engine with a correction, which looks at their histories."""
    history = np.stack((case.context.lengths, case.context.lengths + 1), 1).astype(np.int32)
    context = replace(case.context, history=history)
    return replace(case, engine=FakeEngine(case.engine.trie, pool=12), context=context)


@every_way
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_lists_are_good_and_their_ways_are_told(way: Way, data: st.DataObject, case: Case, k: int) -> None:
    case = correcting(case)
    assert_good_lists(case, search(case.engine, case.context, data.draw(plans(case.depth, way)), k), k)


@every_way
@given(data=st.data(), case=cases())
@settings(max_examples=40, deadline=None)
def test_wide_enough_it_ranks_exactly(way: Way, data: st.DataObject, case: Case) -> None:
    rule = data.draw(st.sampled_from(RULES))
    plan = Plan.uniform(case.depth, 4 * EVERYTHING, 4 * EVERYTHING, rule=rule)
    found = search(case.engine, case.context, way(plan), EVERYTHING)
    assert [case.rows(found, row) for row in range(len(case.legal))] == [
        case.exact(row, rule) for row in range(len(case.legal))
    ]


@every_way
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_every_request_of_a_batch_gets_what_it_would_get_alone_online_too(
    way: Way, data: st.DataObject, case: Case, k: int
) -> None:
    case, plan = correcting(case), data.draw(plans(case.depth, way))
    together = search(case.engine, case.context, plan, k)
    served = {row: (found, place) for row, place, found in online(case, plan, k)}
    for row in range(case.context.batch):
        single = search(case.engine, case.alone(row), plan, k)
        same(together, row, single, 0)
        same(*served[row], single, 0)


@every_way
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_more_passes_never_make_a_list_worse(way: Way, data: st.DataObject, case: Case, k: int) -> None:
    plan = replace(data.draw(plans(case.depth, way)), rescore=0)
    first = search(case.engine, case.context, replace(plan, finishing=None), k)
    assert (searched(case, plan, k).score >= first.score - 1e-6)[np.isfinite(first.score)].all()


def again(case: Case, histories: Sequence[I32]) -> Context:
    """The request itself, once for each of these."""
    return case.engine.take(case.context, [0] * len(histories))


def searched(case: Case, plan: Plan, k: int, deadline: Deadline | None = None) -> Found:
    return search(case.engine, case.context, plan, k, deadline)


@every_way
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_who_is_in_a_hurry_keeps_the_first_pass(way: Way, data: st.DataObject, case: Case, k: int) -> None:
    case, plan = correcting(case), data.draw(plans(case.depth, way)).at_least(k)
    first = search(case.engine, case.context, replace(plan, finishing=None), k)
    assert plan.finishing is not None
    finishing = plan.finishing

    def at_once(engine: Engine, context: Context, found: Found, plan: Plan, k: int, hurry: Callable[[], bool]) -> Found:
        assert not hurry()
        return finishing(engine, context, found, plan, k, lambda: True)

    hurried = searched(case, replace(plan, finishing=at_once), k)
    assert np.array_equal(hurried.node, first.node)
    assert hurried.degraded or np.array_equal(hurried.score, searched(case, plan, k).score)
    assert np.array_equal(hurried.score, first.score)
    late = searched(case, plan, k, Deadline(0.5, lambda: 1.0))
    assert late.degraded
    assert_good_lists(case, late, k)


@every_way
@given(data=st.data(), case=cases(most=1), k=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_every_listed_item_can_be_explained(way: Way, data: st.DataObject, case: Case, k: int) -> None:
    case = correcting(case)
    plan, trie = data.draw(plans(case.depth, way)), case.engine.trie
    found = search(case.engine, case.context, plan, k)
    leaves = found.node[0, np.isfinite(found.log_prob[0])]
    # Any encodings do for histories with an item left out: the influence is another matter.
    repeated = partial(again, case)
    known = evidence(case.engine, repeated, case.context, np.array([1, 2], np.int32), found, 0, plan)
    told = Explanation(found, plan, trie, known, ["an item"] * 2)
    assert [len(path) for path in told.paths(leaves)] == [case.depth] * len(leaves)
    for level, step in zip(told.levels(leaves), found.steps, strict=True):
        assert (level.expanded, level.kept) == (spent(step)[0].expanded, spent(step)[0].kept)


@every_way
def test_equal_strategies_are_one_so_that_their_requests_run_together(way: Way) -> None:
    plan = Plan.uniform(3, 8, 24)
    assert len({way(plan), way(plan)}) == 1
