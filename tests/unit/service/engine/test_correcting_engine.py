"""The correction over real graphs: the same leaves in the same order as PyTorch's, in every way that reaches it."""

from dataclasses import replace

import numpy as np
import pytest
from both_sides import World, agree, corrected_world, histories_of, near, same
from hypothesis import given, settings
from hypothesis import strategies as st
from made_corrected import RECIPE
from tiny import BUNDLE_ITEMS, DEPTH, HISTORY, Bundles

from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.protocol import F32, I32, Context
from service.search.guided import Found, search
from service.search.plan import Plan, Rule
from service.search.scanned import scan

EVERYTHING = 10**6
ALL = Plan.uniform(DEPTH, EVERYTHING, EVERYTHING, rescore=EVERYTHING)
GUIDED = Plan.uniform(DEPTH, 10, 40, rescore=RECIPE.pool)
PLANS = [GUIDED, Plan.uniform(DEPTH, 20, 60, rule=Rule(leaf=0.3, prefix=1.0), rescore=RECIPE.pool)]


@pytest.fixture(scope="module")
def world(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> World:
    return corrected_world(bundles, tmp_path_factory.mktemp("corrected") / "bundle")


@pytest.fixture(scope="module")
def plain(bundles: Bundles) -> World:
    return World(bundles.network, OnnxEngine(load(bundles.inner), "cpu", 1), "inner")


def corrected_scan(world: World, context: Context, pool: int = EVERYTHING) -> tuple[I32, F32]:
    found = scan(world.engine, context, BUNDLE_ITEMS, pool)
    assert found is not None
    return found


def test_everything_kept_and_rescored_is_the_corrected_scan(world: World) -> None:
    for history in histories_of(12, seed=2):
        found = world.search([history], ALL, BUNDLE_ITEMS, excluded=[5, 6])
        node, reward = corrected_scan(world, world.context([history], excluded=[5, 6]))
        wanted = world.listed(node[0], reward[0])
        assert len(wanted) == BUNDLE_ITEMS - len({*history, 5, 6})
        assert agree(world.rows(found), wanted, reward[0])
        assert near(found.score[0, : len(wanted)], reward[0, : len(wanted)])


@pytest.mark.parametrize("length", range(1, HISTORY + 1))
def test_the_corrected_scan_is_pytorchs(world: World, length: int) -> None:
    """Also for histories that are longer than the correction looks back."""
    history = histories_of(HISTORY, seed=length)[length - 1]
    context = world.context([history])
    scanned = world.engine.scan(context, BUNDLE_ITEMS)
    assert scanned is not None
    inner = world.listed(scanned[0][0], scanned[1][0])
    wanted = world.corrections(history, inner, scanned[1][0, : len(inner)]).numpy()
    order = np.argsort(-wanted, kind="stable")
    node, reward = corrected_scan(world, context)
    assert agree(world.listed(node[0], reward[0]), np.array(inner)[order].tolist(), wanted[order])
    assert near(reward[0, : len(inner)], wanted[order])
    assert world.listed(node[0], reward[0]) != inner, "the made correction moves items"


@pytest.mark.parametrize("plan", PLANS)
def test_the_order_is_one_of_the_levels_children_and_rewards_are_pytorchs(world: World, plan: Plan) -> None:
    for history in histories_of(6, seed=3):
        context = world.context([history])
        found = search(world.engine, context, plan, 10)
        last = found.steps[-1]
        assert last.pruned is not None
        order = last.pruned.order.numpy()
        for whole, kept in ((last.children.node, last.kept.node), (last.children.log_prob, last.kept.log_prob)):
            assert np.array_equal(np.take_along_axis(whole.numpy(), order, 1), kept.numpy())
        best = world.engine.prune(context, last.children, DEPTH - 1, plan.rescore, plan.rule.leaf)
        pool, inner = world.listed(best.kept.node.numpy()[0], best.kept.log_prob.numpy()[0]), best.reward.numpy()[0]
        corrected = world.corrections(history, pool, inner[: len(pool)]).tolist()
        wanted = dict(zip(pool, corrected, strict=True))
        rows = world.rows(found)
        ranked = sorted(wanted, key=lambda row: -wanted[row])[:10]
        assert agree(rows, ranked, np.array([wanted[row] for row in ranked]))
        assert near(found.score[0], np.array([wanted[row] for row in rows], np.float32))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), plan=st.sampled_from(PLANS), rows=st.permutations(range(6)), count=st.integers(1, 6))
def test_taking_some_of_a_batch_keeps_their_histories(
    world: World, seed: int, plan: Plan, rows: list[int], count: int
) -> None:
    histories = histories_of(HISTORY + 4, longest=HISTORY + 4, seed=seed)[::2]
    batch, chosen = world.context(histories), rows[:count]
    assert batch.history is not None
    part = world.engine.take(batch, chosen)
    assert part.history is not None
    assert np.array_equal(part.history, batch.history[chosen])
    found, scanned = search(world.engine, part, plan, 10), corrected_scan(world, part, RECIPE.pool)
    for place, row in enumerate(chosen):
        alone = world.context([histories[row]])
        single, exact = search(world.engine, alone, plan, 10), corrected_scan(world, alone, RECIPE.pool)
        assert agree(world.rows(found, place), world.rows(single), single.score[0])
        assert near(found.score[place], single.score[0])
        assert agree(
            world.listed(scanned[0][place], scanned[1][place]), world.listed(exact[0][0], exact[1][0]), exact[1][0]
        )


def test_without_histories_it_says_so(world: World) -> None:
    context = replace(world.context([[1, 2]]), history=None)
    with pytest.raises(ValueError, match="items of the history"):
        search(world.engine, context, GUIDED, 5)
    with pytest.raises(ValueError, match="items of the history"):
        scan(world.engine, context, 5, RECIPE.pool)
    assert len(world.rows(search(world.engine, context, replace(GUIDED, rescore=0), 5))) == 5


def test_a_bundle_without_a_correction_is_as_it_was(world: World, plain: World) -> None:
    assert (plain.engine.pool, world.engine.pool) == (0, RECIPE.pool)
    histories, plan = histories_of(5, seed=4), replace(GUIDED, rescore=0)
    found = plain.search(histories, plan)
    assert same(found, world.search(histories, plan)), "a plan that rescores nothing"
    bare = replace(plain.context(histories), history=None)
    assert same(found, search(plain.engine, bare, plan, 10)), "histories are for the correction alone"
    leaves = found.steps[-1].pruned
    assert leaves is not None
    with pytest.raises(ValueError, match="tiny@1 has no correction"):
        plain.engine.correct(plain.context(histories), leaves, 5)


@pytest.mark.parametrize("left", [0, 1, 4])
def test_filler_moves_nobody(world: World, left: int) -> None:
    """What stands in the place of missing leaves is behind the others and changes none of their rewards."""
    allowed = [7, 19, 33, 64][:left]
    excluded = sorted(set(range(1, BUNDLE_ITEMS + 1)) - set(allowed))
    found, (node, reward) = (
        world.search([[1, 2]], GUIDED, 10, excluded),
        corrected_scan(world, world.context([[1, 2]], excluded), 30),
    )
    assert set(world.rows(found)) == set(world.listed(node[0], reward[0])) == set(allowed)
    scanned = world.engine.scan(world.context([[1, 2]], excluded), 10)
    assert scanned is not None
    if left:
        inner = world.listed(*(part[0] for part in scanned))
        assert near(np.sort(reward[0, :left]), np.sort(world.corrections([1, 2], inner, scanned[1][0, :left]).numpy()))


def test_a_history_of_new_items_alone_is_corrected_the_same_in_a_batch(world: World) -> None:
    context = world.context([[3], [4, 5, 6, 7], [8, 9]])
    assert context.history is not None
    context.history[0] = 0
    alone = world.context([[3]])
    alone.history = np.zeros((1, 1), np.int32)
    found, single = (search(world.engine, each, GUIDED, 10) for each in (context, alone))
    assert agree(world.rows(found), world.rows(single), single.score[0])
    assert near(found.score[0], single.score[0])


def test_the_same_request_gets_the_same_answer(world: World) -> None:
    def answer() -> Found:
        return world.search(histories_of(5, seed=7), GUIDED)

    assert same(answer(), answer())


def test_only_the_newest_items_and_their_order_correct(world: World) -> None:
    context = world.context([[1, 2, 3, 4, 5, 6, 7, 8]])
    assert context.history is not None
    beams = world.engine.root(1)
    for level in range(DEPTH):
        beams = world.engine.expand(context, beams, level, EVERYTHING)
    leaves = world.engine.prune(context, beams, DEPTH - 1, 30, 0.0)

    def rewards(history: list[int]) -> list[tuple[int, float]]:
        found = world.engine.correct(replace(context, history=np.array([history], np.int32)), leaves, 30)
        return sorted(zip(found.kept.node.numpy()[0].tolist(), found.reward.numpy()[0].tolist(), strict=True))

    newest = context.history[0].tolist()
    assert rewards([*newest[: RECIPE.newest], 50, 51]) == rewards(newest)
    assert rewards([50, *newest[1:]]) != rewards(newest)
    assert rewards([newest[1], newest[0], *newest[2:]]) != rewards(newest)
