"""The critic: what promises more, by the definition written out, and what rounds do to lists."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import nodes, same
from numpy.typing import NDArray
from random_tries import RULES, Case, cases

from service.search.guided import Found, search
from service.search.plan import Level, Plan
from service.search.strategies.columns import Columns
from service.search.strategies.refine import Refined, drops, promising

F32 = NDArray[np.float32]
WIDTHS = st.tuples(st.integers(1, 4), st.integers(0, 12)).map(lambda pair: Level(pair[0], sum(pair)))


@st.composite
def plans(draw: st.DrawFn, depth: int) -> Plan:
    return Plan(tuple(draw(WIDTHS) for _ in range(depth)), rule=draw(st.sampled_from(RULES)))


def refined(case: Case, plan: Plan, k: int, rounds: int, width: int | None = None) -> Found:
    return search(case.engine, case.context, replace(plan, finishing=Refined(rounds, width)), k)


def promises(found: Found, case: Case) -> list[F32]:
    levels = [Columns.of(step) for step in found.steps]
    return promising(levels, found.node, np.isfinite(found.log_prob), case.engine.trie)


def by_definition(found: Found, case: Case, row: int, level: int) -> dict[int, float]:
    """Node → reward of what this level rejected although a listed path was promised less there."""
    step = found.steps[level]
    assert step.pruned is not None
    node, log_prob = step.children.node.numpy()[row].tolist(), step.children.log_prob.numpy()[row]
    reward = dict(zip(node, step.pruned.all_rewards.numpy()[row].tolist(), strict=True))
    kept = nodes(step.kept.node.numpy()[row], step.kept.log_prob.numpy()[row])
    listed = found.node[row, np.isfinite(found.log_prob[row])]
    paths = [reward[prefix] for prefix in case.engine.trie.path(listed)[:, level].tolist()]
    rejected = nodes(np.array(node), log_prob) - kept
    return {prefix: reward[prefix] for prefix in rejected if any(reward[prefix] > path for path in paths)}


@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_a_path_drops_where_a_rejected_prefix_promised_more(data: st.DataObject, case: Case, k: int) -> None:
    found = search(case.engine, case.context, data.draw(plans(case.depth)), k)
    promise = promises(found, case)
    for row, level in enumerate(drops(promise).tolist()):
        expected = [by_definition(found, case, row, number) for number in range(case.depth - 1)]
        assert level == next((number for number, more in enumerate(expected) if more), -1)
        for step, values, more in zip(found.steps, promise, expected, strict=False):
            real = np.isfinite(values[row])
            pairs = zip(step.children.node.numpy()[row, real].tolist(), values[row, real].tolist(), strict=True)
            assert dict(pairs) == more


@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_no_round_is_guided_search(data: st.DataObject, case: Case, k: int) -> None:
    plan = data.draw(plans(case.depth))
    first = search(case.engine, case.context, plan, k)
    for row in range(len(case.legal)):
        same(refined(case, plan, k, 0), row, first, row)


@given(data=st.data(), case=cases(), k=st.integers(1, 8), width=st.none() | st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_another_round_never_makes_a_place_of_the_list_worse(
    data: st.DataObject, case: Case, k: int, width: int | None
) -> None:
    plan = data.draw(plans(case.depth))
    scores = [refined(case, plan, k, rounds, width).score for rounds in range(4)]
    for fewer, more in pairwise(scores):
        assert (more[np.isfinite(fewer)] >= fewer[np.isfinite(fewer)] - 1e-6).all()


@given(data=st.data(), case=cases(most=1), k=st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_a_request_is_done_when_nothing_drops_or_its_list_stays(data: st.DataObject, case: Case, k: int) -> None:
    plan = data.draw(plans(case.depth))
    lists = [refined(case, plan, k, rounds) for rounds in range(5)]
    for before, one, two in zip(lists, lists[1:], lists[2:], strict=False):
        done = drops(promises(one, case))[0] < 0 or np.array_equal(before.node, one.node)
        assert done == (expanded(one) == expanded(two))


def expanded(found: Found) -> int:
    """Kept prefixes above the leaves: those that were gone down from."""
    return sum(int(np.isfinite(step.kept.log_prob.numpy()).sum()) for step in found.steps[:-1])


@pytest.mark.parametrize("stops", [0, 1, 2])
@given(data=st.data(), case=cases(), k=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_between_rounds_it_stops_in_a_hurry(stops: int, data: st.DataObject, case: Case, k: int) -> None:
    plan, asked = data.draw(plans(case.depth)).at_least(k), iter(range(9))
    first = search(case.engine, case.context, plan, k)
    found = Refined(3)(case.engine, case.context, first, plan, k, lambda: next(asked) >= stops)
    for row in range(len(case.legal)):
        same(found, row, refined(case, plan, k, stops), row)
