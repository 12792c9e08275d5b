"""Strategies that choose level by level over real graphs, with votes and a correction: beams from the host go on."""

from dataclasses import replace

import numpy as np
import pytest
from both_sides import World, agree, histories_of, near
from made_corrected import RECIPE, corrected_bundle, made_correction
from made_voted import voted_bundle
from tiny import BUNDLE_ITEMS, DEPTH, Bundles

from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.search.plan import Keeping, Plan, Rule
from service.search.strategies.consistent import Consistent
from service.search.strategies.interest import Interested
from service.search.strategies.optimistic import Optimistic
from service.search.strategies.relaxed import Relaxed
from service.search.strategies.smc import Resampled

NEUTRAL = (Relaxed(0, 0), Consistent(1), Optimistic(0), Interested(0))
ALL = (*NEUTRAL, Resampled(), Relaxed(), Consistent(), Optimistic(), Interested())
PLAN = Plan.uniform(DEPTH, 12, 30, rule=Rule(0.0, 1.0))
EVERYTHING = Plan.uniform(DEPTH, 1000, 1000)


@pytest.fixture(scope="module")
def world(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("voted")
    corrected = corrected_bundle(bundles.inner, folder / "corrected", made_correction(BUNDLE_ITEMS))
    engine = OnnxEngine(load(voted_bundle(corrected, folder / "voted")), "cpu", 1)
    return World(bundles.network, engine, "inner")


@pytest.mark.parametrize("rescore", [0, RECIPE.pool])
@pytest.mark.parametrize("keeping", NEUTRAL, ids=str)
def test_at_its_neutral_value_it_is_guided_search(world: World, keeping: Keeping, rescore: int) -> None:
    plan = replace(PLAN, rescore=rescore)
    for history in histories_of(4, seed=2):
        guided, found = (world.search([history], x) for x in (plan, replace(plan, keeping=keeping)))
        assert agree(world.rows(found), world.rows(guided), guided.score[0])
        assert near(found.score, guided.score)


@pytest.mark.parametrize("keeping", [one for one in ALL if not isinstance(one, Interested)], ids=str)
def test_wide_enough_it_is_the_scan(world: World, keeping: Keeping) -> None:
    for history in histories_of(3, seed=5):
        context = world.context([history])
        scanned = world.engine.scan(context, 1000)
        assert scanned is not None
        found = world.search([history], replace(EVERYTHING, keeping=keeping), 1000)
        wanted = world.listed(scanned[0][0], scanned[1][0])
        assert agree(world.rows(found), wanted, scanned[1][0])


@pytest.mark.parametrize("rescore", [0, RECIPE.pool])
@pytest.mark.parametrize("keeping", ALL, ids=str)
def test_lists_of_a_batch_are_those_of_each_alone(world: World, keeping: Keeping, rescore: int) -> None:
    histories, plan = histories_of(5, seed=7), replace(PLAN, keeping=keeping, rescore=rescore)
    together = world.search(histories, plan)
    for row, history in enumerate(histories):
        single = world.search([history], plan)
        rows = world.rows(together, row)
        assert len(rows) == len(set(rows)) == 10
        assert not set(rows) & set(history)
        assert agree(rows, world.rows(single), single.score[0])
        assert np.all(np.diff(together.score[row]) <= 0)
