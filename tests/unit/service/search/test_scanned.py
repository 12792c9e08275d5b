"""The exact ranking with and without a correction."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.padding import newest_first
from service.engine.protocol import Context
from service.search.guided import search
from service.search.plan import Plan
from service.search.scanned import scan
from service.search.trie import banned, build

ITEMS = 90
CATALOGUE = made_catalogue(items=ITEMS, depth=3, codes=7, seed=3)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE, pool=20)
HISTORIES = [[1, 2, 3], [9], [4, 5]]


def context(histories: Sequence[list[int]] = HISTORIES, excluded: Sequence[int] = ()) -> Context:
    newest = newest_first([np.array(rows, np.int32) for rows in histories], ITEMS)
    lengths = np.array([len(rows) for rows in histories], np.int32)
    items = np.array([[*rows, *[0] * (int(lengths.max()) - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, CATALOGUE.sids[items - 1], 0).astype(np.int32)
    illegal = [banned(TRIE, [*rows, *excluded]) for rows in histories]
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, illegal, newest)


@pytest.mark.parametrize("k", [1, 10, ITEMS])
def test_without_a_pool_it_is_the_engines_own(k: int) -> None:
    found, wanted = scan(ENGINE, context(), k, 0), ENGINE.scan(context(), k)
    assert found is not None
    assert wanted is not None
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


@pytest.mark.parametrize("pool", [0, 20])
def test_where_nothing_can_be_scanned_there_is_nothing_to_correct(pool: int) -> None:
    assert scan(FakeEngine(TRIE, has_scan=False, pool=pool), context(), 5, pool) is None


@given(st.integers(1, 30), st.integers(1, 30))
def test_the_best_of_the_pool_are_ranked_anew(k: int, pool: int) -> None:
    """A list that is longer than the pool is corrected whole."""
    given_context = context()
    scanned, found = ENGINE.scan(given_context, max(k, pool)), scan(ENGINE, given_context, k, pool)
    assert scanned is not None
    assert found is not None
    node, reward = found
    assert node.shape == reward.shape == (3, k)
    assert (np.diff(reward) <= 0).all()
    for row in range(3):
        assert len(set(node[row].tolist())) == k
        assert set(node[row].tolist()) <= set(scanned[0][row].tolist())
    if k >= pool:
        assert all(set(mine.tolist()) == set(others.tolist()) for mine, others in zip(node, scanned[0], strict=True))


@pytest.mark.parametrize("k", [5, 20, 60])
def test_it_is_a_search_that_keeps_everything_and_rescores_as_many(k: int) -> None:
    found = scan(ENGINE, context(), k, 60)
    searched = search(ENGINE, context(), Plan.uniform(3, 1000, 1000, rescore=60), ITEMS)
    corrected = {
        (row, node): reward
        for row in range(3)
        for node, reward in zip(searched.node[row].tolist(), searched.score[row].tolist(), strict=True)
    }
    assert found is not None
    for row in range(3):
        for node, reward in zip(found[0][row].tolist(), found[1][row].tolist(), strict=True):
            assert corrected[row, node] == pytest.approx(reward)


@pytest.mark.parametrize("left", [0, 1, 4])
@pytest.mark.parametrize("pool", [0, 2, 20])
def test_filler_comes_last_and_is_marked(left: int, pool: int) -> None:
    excluded = range(1, ITEMS + 1 - left)
    found = scan(ENGINE, context(excluded=excluded), 8, pool)
    assert found is not None
    for node, reward in zip(*found, strict=True):
        assert set(TRIE.rows(node[:left]).tolist()) == set(range(ITEMS + 1 - left, ITEMS + 1))
        assert np.isfinite(reward[:left]).all()
        assert np.isneginf(reward[left:]).all()


def test_histories_decide() -> None:
    """The same encodings and rules, other items in the histories."""
    one, other = context(), context()
    assert other.history is not None
    other.history = other.history[::-1].copy()
    lists = [scan(ENGINE, each, 20, 20) for each in (one, other)]
    assert lists[0] is not None
    assert lists[1] is not None
    assert not np.array_equal(lists[0][0], lists[1][0])
