"""Explanations of the shipped bundle: what they name is what moved the reward, and their numbers are the answer's."""

from pathlib import Path

import numpy as np
import pytest

from loadtest.bench.explain_truth import LONGER_THAN, MEASURES, measured, summary
from loadtest.bench.explain_world import World, made_histories, open_world

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "models" / "bundles" / "beauty"
REQUESTS, ENOUGH = 200, 0.8


@pytest.fixture(scope="module")
def world() -> World:
    return open_world(BUNDLE)


def test_removing_the_named_items_moves_the_reward_more_than_removing_others(world: World) -> None:
    histories = made_histories(BUNDLE, world, REQUESTS, LONGER_THAN)
    assert len(histories) == REQUESTS
    assert all(len(set(history.tolist())) > LONGER_THAN for history in histories)
    found = summary(measured(world, histories, "k50", draws=5))
    assert len(found) == 3 * len(MEASURES)
    for row in found.values():
        assert row["more than one draw"] >= ENOUGH
        assert row["than their mean"] >= ENOUGH
        assert row["named"] > 2 * row["others"]
        assert row["named"] > 0.9 * row["newest"]  # of these histories the newest three say about as much


@pytest.mark.parametrize("tier", ["k10", "k50", "k100"])
def test_an_explained_answer_is_the_answer(world: World, tier: str) -> None:
    for history in made_histories(BUNDLE, world, 5, 0):
        plain, told = (world.ask(history, tier, explain) for explain in (False, True))
        assert [item.row for item in told.items] == [item.row for item in plain.items]
        assert told.levels is not None
        for item in told.items:
            assert item.path is not None
            assert item.path[-1].reward == pytest.approx(item.reward, abs=1e-4)
            names = {one.item_id for step in item.path for one in step.because or ()}
            assert names <= {world.served.catalogue.ids[row - 1] for row in history}
        assert all(level.rejected is None or level.rejected.lost_by >= -1e-5 for level in told.levels)


def test_a_history_of_one_item_has_nothing_to_leave_out(world: World) -> None:
    told = world.ask(np.array([7], np.int32), "k10", explain=True)
    assert [level.because for level in told.levels or ()] == [()] * 3
