"""A PRM that prunes at some depths only: the others are plain beam search."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import Context
from service.search.guided import search
from service.search.plan import Level, Plan, Rule
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=150, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)
LEVELS = (Level(4, 8), Level(8, 30), Level(8, 40))
SOME = [depths for count in range(4) for depths in combinations(range(3), count)]


def context(history: list[int]) -> Context:
    items = np.array([history], np.int32)
    lengths, codes = np.array([len(history)], np.int32), CATALOGUE.sids[items - 1].astype(np.int32)
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, [banned(TRIE, history)])


@pytest.mark.parametrize("depths", SOME)
def test_the_prm_is_asked_at_its_depths_alone(depths: tuple[int, ...]) -> None:
    found = search(ENGINE, context([1, 2]), Plan(LEVELS, depths=depths), 4)
    assert [step.pruned is not None for step in found.steps] == [level in depths for level in range(3)]
    asked = [step.children.width for step in found.steps]
    assert asked == [level.k_plus if number in depths else level.k_keep for number, level in enumerate(LEVELS)]
    assert [step.kept.width for step in found.steps] == [4, 8, 8]


@settings(deadline=None)
@given(history=st.lists(st.integers(1, 150), min_size=1, max_size=6, unique=True))
def test_all_depths_are_the_guided_search_and_none_is_the_plain_beam(history: list[int]) -> None:
    for depths, other in (((0, 1, 2), Plan(LEVELS)), ((), Plan(LEVELS, use_prm=False))):
        one, two = (search(ENGINE, context(history), plan, 8) for plan in (Plan(LEVELS, depths=depths), other))
        assert np.array_equal(one.node, two.node)
        assert np.array_equal(one.score, two.score)


def test_without_the_prm_the_leaves_rank_by_log_probability() -> None:
    rule = Rule(leaf=0.5, prefix=1.0)
    above = search(ENGINE, context([3]), Plan(LEVELS, rule=rule, depths=(0, 1)), 8)
    assert above.reward is None
    assert np.array_equal(above.score, above.log_prob)
    leaf = search(ENGINE, context([3]), Plan(LEVELS, rule=rule, depths=(2,)), 8)
    assert leaf.reward is not None
    assert np.allclose(leaf.score, leaf.reward + 0.5 * leaf.log_prob)


def test_growing_keeps_the_depths() -> None:
    assert Plan(LEVELS, depths=(1,)).at_least(20).depths == (1,)
    assert not Plan(LEVELS, use_prm=False, depths=(1,)).prunes(1)
