"""Routing: each request as its own plan would have searched it, online and offline, and what the threshold does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import assert_good_lists, same
from numpy.typing import NDArray
from random_tries import RULES, Case, cases

from service.search.guided import Deadline, Found, search
from service.search.plan import Level, Plan
from service.search.staged import FirstLevel, begin, descend, first_level
from service.search.strategies.routed import Routed, Router, cheaper

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


def unsure(log_prob: F32, reward: F32 | None, code: I32) -> F32:
    """How little probability the most probable prefix has; 1 where there is none."""
    assert log_prob.shape == code.shape
    assert reward is None or reward.shape == code.shape
    doubt: F32 = (1 - np.exp(log_prob.max(1))).astype(np.float32)
    return doubt


ROUTER = Router(unsure)
WIDTHS = st.tuples(st.integers(1, 6), st.integers(0, 12)).map(lambda pair: Level(pair[0], sum(pair)))


@st.composite
def plans(draw: st.DrawFn, depth: int, threshold: float) -> Plan:
    cheap, dear = (tuple(draw(WIDTHS) for _ in range(depth)) for _ in range(2))
    plan = Plan(dear, rule=draw(st.sampled_from(RULES)), depths=draw(st.sampled_from((None, None, (depth - 1,)))))
    other = replace(plan, levels=cheap, use_prm=draw(st.booleans()) or threshold > 1)
    return replace(plan, routing=Routed(other, ROUTER, threshold))


def first_of(case: Case) -> FirstLevel:
    return first_level(case.engine, case.context, case.engine.trie.branching(0), True, lambda: 0.0)


def routed(case: Case, plan: Plan) -> list[bool]:
    """Which requests take the dear plan."""
    assert isinstance(plan.routing, Routed)
    first = first_of(case)
    chosen: list[bool] = plan.routing.dear(first, case.engine.trie.code[first.children.node.numpy()]).tolist()
    return chosen


def expected(case: Case, plan: Plan, row: int, dear: bool, k: int) -> Found:
    assert isinstance(plan.routing, Routed)
    chosen = replace(plan, routing=None) if dear else plan.routing.cheap
    return search(case.engine, case.alone(row), chosen, k)


@given(data=st.data(), case=cases(), k=st.integers(1, 6), threshold=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_every_request_goes_the_way_it_is_sent(data: st.DataObject, case: Case, k: int, threshold: float) -> None:
    plan = data.draw(plans(case.depth, threshold))
    found = search(case.engine, case.context, plan, k)
    assert_good_lists(case, found, k)
    for row, dear in enumerate(routed(case, plan)):
        one = expected(case, plan, row, dear, k)
        real = np.isfinite(one.log_prob[0])
        assert np.array_equal(found.node[row, : real.sum()], one.node[0, real])
        assert np.allclose(found.score[row, : real.sum()], one.score[0, real], atol=1e-6)


@pytest.mark.parametrize(("threshold", "dear"), [(0.0, True), (1.01, False)])
@given(data=st.data(), case=cases(), k=st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_the_threshold_runs_from_always_to_never(
    threshold: float, dear: bool, data: st.DataObject, case: Case, k: int
) -> None:
    plan = data.draw(plans(case.depth, threshold))
    assert routed(case, plan) == [dear] * case.context.batch
    found = search(case.engine, case.context, plan, k)
    for row in range(case.context.batch):
        same(found, row, expected(case, plan, row, dear, k), 0)


@given(data=st.data(), case=cases(), k=st.integers(1, 6), threshold=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_batch_in_groups_finds_the_same(data: st.DataObject, case: Case, k: int, threshold: float) -> None:
    plan = data.draw(plans(case.depth, threshold)).at_least(k)
    assert isinstance(plan.routing, Routed)
    found, first, dear = search(case.engine, case.context, plan, k), first_of(case), routed(case, plan)
    for chosen in set(dear):
        members = [row for row, each in enumerate(dear) if each == chosen]
        own = replace(plan, routing=None) if chosen else plan.routing.cheap
        group = begin(case.engine, case.context, first, members, own, k)
        for rows, part in descend(case.engine, case.context, group, [Deadline()] * len(dear), lambda: 0.0):
            for place, row in enumerate(rows):
                real = np.isfinite(part.log_prob[place])
                assert np.array_equal(found.node[row, : real.sum()], part.node[place, real])


@given(data=st.data(), case=cases(), k=st.integers(1, 6), threshold=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_past_the_deadline_both_ways_hurry(data: st.DataObject, case: Case, k: int, threshold: float) -> None:
    plan = data.draw(plans(case.depth, threshold))
    found = search(case.engine, case.context, plan, k, Deadline(0.5, lambda: 1.0))
    assert found.degraded
    assert_good_lists(case, found, k)


def test_the_cheap_plan_is_a_part_of_the_dear_one() -> None:
    plan = Plan((Level(50, 800), Level(100, 300), Level(6, 20)), rescore=30)
    cheap = cheaper(plan, 4)
    assert cheap.levels == (Level(12, 200), Level(25, 75), Level(6, 6))
    assert replace(cheap, levels=plan.levels) == plan
    assert cheaper(plan, 1).levels == plan.levels


@pytest.mark.parametrize("k", [3, 40, 200])
def test_both_plans_are_wide_enough_for_the_list(k: int) -> None:
    plan = Plan.uniform(3, 50, 200)
    wide = replace(plan, routing=Routed(cheaper(plan), ROUTER, 0.5)).at_least(k)
    assert isinstance(wide.routing, Routed)
    assert min(level.k_keep for level in (*wide.levels, *wide.routing.cheap.levels)) >= min(k, 10)
    assert wide.routing.cheap == cheaper(plan).at_least(k)


def test_requests_of_one_router_and_threshold_run_together() -> None:
    plan = Plan.uniform(3, 50, 200)
    same_router = {Routed(cheaper(plan), ROUTER, 0.5), Routed(cheaper(plan), ROUTER, 0.5)}
    assert len(same_router) == 1
    assert len(same_router | {Routed(cheaper(plan), Router(unsure), 0.5)}) == 2
