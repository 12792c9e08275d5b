"""Leaving items out, against the same done by hand: one history at a time, shares by the textbook."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import I32, Context, Pruned
from service.outcomes import encoded
from service.search import choosing
from service.search.explaining import influence as influences
from service.search.explaining.influence import NEWEST, Influence, influence, left_out, weighed, without
from service.search.guided import Found, search
from service.search.plan import Plan, Rule
from service.search.strategies.interest import Interested
from service.search.trie import build

CATALOGUE = made_catalogue(items=300, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
HISTORIES = st.lists(st.integers(1, 300), min_size=1, max_size=6)
PLANS = st.sampled_from(
    [
        Plan.uniform(3, 6, 24),
        Plan.uniform(3, 6, 24, rescore=12),
        Plan.uniform(3, 20, 24, rescore=12),
        Plan.uniform(3, 6, 24, rule=Rule(0.5, 1.0), rescore=12),
    ]
)


def worked(history: Sequence[int], plan: Plan, late: bool = False) -> tuple[FakeEngine, Found, Influence | None]:
    engine, rows = FakeEngine(TRIE, pool=plan.rescore), np.array(history, np.int32)
    contexts = partial(encoded, engine, CATALOGUE)
    found = search(engine, contexts([rows]), plan, 6)
    candidates = weighed(engine, found, plan.weight(2), keeping=plan.keeping)
    return engine, found, influence(engine, contexts, rows, candidates, lambda: late)


def rewards_by_hand(engine: FakeEngine, history: I32, found: Found, plan: Plan, level: int) -> dict[int, float]:
    """Of every candidate of a level, or of the list that the search corrected, under another history."""
    context, step = encoded(engine, CATALOGUE, [history]), found.steps[level]
    children = step.children.node.numpy(), step.children.log_prob.numpy()
    pruned = engine.prune(context, step.children, level, step.children.width, 0.0)
    if not plan.rescores(level):
        return by_node(pruned)
    assert step.pruned is not None
    wide = max(plan.rescore, plan.levels[level].k_keep)
    listed = choosing.keep(*children, step.pruned.all_rewards.numpy(), wide, plan.weight(level))
    return by_node(engine.correct(context, listed, wide))


def by_node(pruned: Pruned) -> dict[int, float]:
    kept, reward = pruned.kept.node.numpy()[0].tolist(), pruned.reward.numpy()[0].tolist()
    legal = np.isfinite(pruned.kept.log_prob.numpy()[0])
    return {node: value for node, value, there in zip(kept, reward, legal, strict=True) if there}


def log_share(rewards: dict[int, float], node: int) -> float:
    return rewards[node] - math.log(sum(math.exp(reward) for reward in rewards.values()))


@settings(max_examples=40, deadline=None)
@given(HISTORIES, PLANS)
def test_every_change_is_that_of_the_log_share(history: list[int], plan: Plan) -> None:
    engine, found, why = worked(history, plan)
    assert why is not None
    assert why.rows == (tuple(dict.fromkeys(reversed(history))) if len(set(history)) > 1 else ())
    for level, moved in enumerate(why.levels):
        assert moved is not None
        whole = rewards_by_hand(engine, np.array(history, np.int32), found, plan, level)
        nodes = moved.weighed.node.tolist()
        assert sorted(nodes) == sorted(whole)
        assert moved.reward == pytest.approx([whole[node] for node in nodes], abs=1e-5)
        assert moved.change.shape == (len(why.rows), len(nodes))
        for row, changes in zip(why.rows, moved.change, strict=True):
            rest = np.array([item for item in history if item != row], np.int32)
            less = rewards_by_hand(engine, rest, found, plan, level)
            wanted = [log_share(less, node) - log_share(whole, node) for node in nodes]
            assert changes == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(HISTORIES, st.sampled_from([Plan.uniform(3, 6, 24, rescore=12), Plan.uniform(3, 20, 24, rescore=12)]))
def test_the_rewards_of_the_whole_history_are_those_of_the_answer(history: list[int], plan: Plan) -> None:
    _, found, why = worked(history, plan)
    assert why is not None
    moved = why.levels[-1]
    assert moved is not None
    assert moved.weighed.corrected
    known = dict(zip(moved.weighed.node.tolist(), moved.reward.tolist(), strict=True))
    assert found.reward is not None
    assert found.reward[0] == pytest.approx([known[node] for node in found.node[0].tolist()], abs=1e-5)


@pytest.mark.parametrize("at_once", [1, 30, 100])
def test_many_histories_go_in_parts(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, history = Plan.uniform(3, 6, 24, rescore=12), list(range(20, 40))
    _, _, whole = worked(history, plan)
    monkeypatch.setattr(influences, "AT_ONCE", at_once)
    _, _, parts = worked(history, plan)
    assert whole is not None
    assert parts is not None
    for one, other in zip(whole.levels, parts.levels, strict=True):
        assert one is not None
        assert other is not None
        assert np.allclose(one.change, other.change, atol=1e-6)
        assert one.change.shape[0] == 20


def test_only_the_newest_of_a_long_history_are_left_out() -> None:
    history = np.arange(1, 81, dtype=np.int32)
    assert left_out(history) == tuple(range(80, 80 - NEWEST, -1))
    assert left_out(np.array([7, 7, 7], np.int32)) == ()
    assert without(np.array([3, 4, 3, 5], np.int32), (3,)).tolist() == [4, 5]


@settings(max_examples=40, deadline=None)
@given(HISTORIES, st.sampled_from([0, 12]))
def test_what_the_interest_adds_is_part_of_the_reward(history: list[int], rescore: int) -> None:
    plan = replace(Plan.uniform(3, 6, 24, rule=Rule(0.0, 1.0), rescore=rescore), keeping=Interested(0.5))
    _, found, why = worked(history, plan)
    assert why is not None
    for step, moved in zip(found.steps, why.levels, strict=True):
        assert step.pruned is not None
        assert moved is not None
        made = dict(zip(moved.weighed.node.tolist(), moved.reward.tolist(), strict=True))
        kept = step.kept.node.numpy()[0].tolist()
        assert step.pruned.reward.numpy()[0] == pytest.approx([made[node] for node in kept], abs=1e-5)


def test_a_plain_beam_has_nothing_to_explain_and_encodes_nothing() -> None:
    engine, rows = FakeEngine(TRIE), np.array([1, 2, 3], np.int32)
    contexts = partial(encoded, engine, CATALOGUE)
    found = search(engine, contexts([rows]), Plan.uniform(3, 6, 6, use_prm=False), 6)

    def never(histories: Sequence[I32]) -> Context:
        raise AssertionError(f"{len(histories)} histories were encoded for nothing")

    assert influence(engine, never, rows, weighed(engine, found, 0.0)) is None


def test_nothing_is_left_out_where_no_time_is_left() -> None:
    assert worked([1, 2, 3], Plan.uniform(3, 6, 24), late=True)[2] is None
