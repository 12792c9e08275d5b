"""Plans that rescore: which levels do, what is kept and scored, and that a batch of many plans finds the same."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.padding import newest_first
from service.engine.protocol import Context
from service.explain import Explanation
from service.search.explaining.evidence import Evidence, Said
from service.search.guided import Deadline, Found, search
from service.search.plan import Level, Plan, Rule
from service.search.spent import spent
from service.search.staged import begin, descend, first_level
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=150, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE, pool=30)
RULE = Rule(leaf=0.3, prefix=1.0)
PLANS = (
    Plan.uniform(3, 8, 24, rule=RULE, rescore=20),
    Plan.uniform(3, 8, 24, rule=RULE),
    Plan.uniform(3, 3, 5, rescore=30),
    Plan.uniform(3, 6, 6, use_prm=False, rescore=30),
    Plan.uniform(3, 200, 800, rule=RULE, rescore=30),
)
HISTORIES = st.lists(st.lists(st.integers(1, 150), min_size=1, max_size=6), min_size=1, max_size=7)
widths = st.tuples(st.integers(1, 1000), st.integers(1, 8)).map(lambda pair: Level(pair[0], pair[0] * pair[1]))
plans = st.builds(
    Plan,
    st.lists(widths, min_size=1, max_size=4).map(tuple),
    st.booleans(),
    st.builds(Rule, st.floats(0, 1), st.floats(0, 1)),
    st.none() | st.sets(st.integers(0, 3)).map(tuple),
    st.integers(0, 300),
)


def never() -> float:
    return 0.0


def batch(histories: Sequence[list[int]], excluded: Sequence[int] = ()) -> Context:
    lengths = np.array([len(rows) for rows in histories], np.int32)
    items = np.array([[*rows, *[0] * (int(lengths.max()) - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, CATALOGUE.sids[items - 1], 0).astype(np.int32)
    illegal = [banned(TRIE, [*rows, *excluded]) for rows in histories]
    newest = newest_first([np.array(rows, np.int32) for rows in histories], 150)
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, illegal, newest)


def rows(found: Found, row: int = 0) -> list[int]:
    listed: list[int] = TRIE.rows(found.node[row, np.isfinite(found.log_prob[row])]).tolist()
    return listed


@given(plans)
def test_only_the_leaves_that_the_prm_prunes_are_rescored(plan: Plan) -> None:
    last = len(plan.levels) - 1
    rescored = [level for level in range(len(plan.levels)) if plan.rescores(level)]
    assert rescored == ([last] if plan.rescore and last and plan.prunes(last) else [])
    assert plan.leaf_weight == (0.0 if rescored else plan.rule.leaf)


@given(plans, st.integers(1, 50))
def test_a_hurried_plan_and_a_plain_beam_never_rescore(plan: Plan, k: int) -> None:
    for other in (plan.hurried(k), Plan(plan.levels, use_prm=False, rescore=plan.rescore)):
        assert not any(other.rescores(level) for level in range(len(plan.levels)))
    assert plan.at_least(k).rescore == plan.rescore


@pytest.mark.parametrize("leaf", [0.0, 0.3])
def test_the_best_leaves_are_ranked_anew_and_nothing_else_is(leaf: float) -> None:
    plan = Plan((Level(8, 24), Level(8, 24), Level(5, 40)), rule=Rule(leaf, 1.0), rescore=20)
    inputs = batch([[1, 2, 3], [9], [4, 5]])
    found = search(ENGINE, inputs, plan, 5)
    children = found.steps[-1].children
    twenty = ENGINE.prune(inputs, children, 2, 20, leaf)
    again = ENGINE.correct(inputs, twenty, 20)
    assert found.reward is not None
    assert np.array_equal(found.node, again.kept.node.numpy()[:, :5])
    assert np.array_equal(found.reward, again.reward.numpy()[:, :5])
    assert np.allclose(found.score, found.reward, atol=1e-6), "the corrected reward alone"
    assert (np.diff(found.score) <= 0).all()
    assert not np.array_equal(found.node, twenty.kept.node.numpy()[:, :5])


@pytest.mark.parametrize("k_keep", [3, 8, 40])
def test_the_order_is_one_of_the_levels_children(k_keep: int) -> None:
    plan = Plan.uniform(3, k_keep, 60, rescore=20)
    found = search(ENGINE, batch([[1, 2, 3], [9]]), plan, 3)
    for step in found.steps:
        assert step.pruned is not None
        order = step.pruned.order.numpy()
        assert order.shape[1] == step.kept.width == min(k_keep, step.children.width)
        for whole, kept in ((step.children.node, step.kept.node), (step.children.log_prob, step.kept.log_prob)):
            assert np.array_equal(np.take_along_axis(whole.numpy(), order, 1), kept.numpy())
    last = found.steps[-1].pruned
    assert last is not None
    inner = np.take_along_axis(last.all_rewards.numpy(), last.order.numpy(), 1)
    assert not np.allclose(inner, last.reward.numpy()), "what the PRM said stays to be seen beside"


def test_what_a_level_spent_and_why_can_be_told() -> None:
    plan = Plan.uniform(3, 8, 24, rescore=20)
    found = search(ENGINE, batch([[1, 2, 3], [9]]), plan, 8)
    for row in range(2):
        why = Explanation(found, plan, TRIE, Evidence((), (Said(None, None),) * 3), CATALOGUE.ids, row)
        listed = found.node[row]
        assert [[step.level for step in path] for path in why.paths(listed)] == [[1, 2, 3]] * 8
        last = why.levels(listed)[-1]
        assert (last.expanded, last.kept) == (np.isfinite(found.steps[-1].children.log_prob.numpy()[row]).sum(), 8)
        assert spent(found.steps[-1])[row].rescued == last.rescued > 0


@pytest.mark.parametrize("left", [0, 1, 4])
def test_fewer_legal_items_give_fewer(left: int) -> None:
    excluded = range(1, 151 - left)
    found = search(ENGINE, batch([[1]], excluded), Plan.uniform(3, 8, 24, rescore=20), 8)
    assert set(rows(found)) == set(range(151 - left, 151))
    assert np.isneginf(found.score[:, left:]).all()


@pytest.mark.parametrize("second", [False, True])
def test_past_the_deadline_nothing_is_rescored(second: bool) -> None:
    # The clock is read once between levels, three times within one.
    asked = iter([0.0] * (7 if second else 3) + [9.0] * 99)
    found = search(ENGINE, batch([[1, 2]]), PLANS[0], 4, Deadline(5.0, lambda: next(asked)))
    assert found.degraded
    assert [step.pruned is not None for step in found.steps] == [True, second, False]
    assert found.reward is None
    assert np.array_equal(found.score, found.log_prob)


def test_without_the_leaf_among_its_depths_a_plan_scores_as_it_did() -> None:
    levels = (Level(8, 24),) * 3
    inputs = batch([[1, 2]])
    found, plain = (
        search(ENGINE, inputs, Plan(levels, depths=(0, 1), rule=RULE, rescore=count), 5) for count in (20, 0)
    )
    assert np.array_equal(found.node, plain.node)
    assert found.reward is None


def together(inputs: Context, plans: Sequence[Plan], k: int, late: Sequence[bool]) -> dict[int, tuple[Found, int]]:
    """row → its search and its place in it."""
    first = first_level(ENGINE, ENGINE.take(inputs, range(len(plans))), TRIE.branching(0), True, never)
    deadlines = [Deadline(0.5, lambda: 1.0) if each else Deadline() for each in late]
    found: dict[int, tuple[Found, int]] = {}
    for plan in set(plans):
        members = [row for row, each in enumerate(plans) if each == plan]
        group = begin(ENGINE, inputs, first, members, plan.at_least(k), k)
        for done, result in descend(ENGINE, inputs, group, deadlines, never):
            found |= {row: (result, place) for place, row in enumerate(done)}
    return found


@given(HISTORIES, st.data(), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_every_request_of_a_mixed_batch_gets_the_list_it_would_get_alone(
    histories: list[list[int]], data: st.DataObject, k: int
) -> None:
    chosen = [data.draw(st.sampled_from(PLANS)) for _ in histories]
    late = [data.draw(st.booleans()) for _ in histories]
    inputs = batch(histories)
    for row, (found, place) in together(inputs, chosen, k, late).items():
        deadline = Deadline(0.5, lambda: 1.0) if late[row] else Deadline()
        single = search(ENGINE, ENGINE.take(inputs, [row]), chosen[row], k, deadline)
        assert np.array_equal(found.node[place], single.node[0])
        assert np.allclose(found.score[place], single.score[0], atol=1e-6)
        assert (found.reward is None) == (single.reward is None)
        assert [spent(step)[place] for step in found.steps] == [spent(step)[0] for step in single.steps]
