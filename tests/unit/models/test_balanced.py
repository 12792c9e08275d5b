"""Balanced clusters: no code beyond its capacity, small totals all the same, and semantic IDs that stay distinct."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from models.balanced import assign, balanced_clusters, capacity
from models.tokenizer import tokenize


@settings(max_examples=80, deadline=None)
@given(rows=st.integers(1, 40), clusters=st.integers(1, 9), spare=st.integers(0, 3), seed=st.integers(0, 999))
def test_every_row_gets_a_cluster_and_no_cluster_too_many(rows: int, clusters: int, spare: int, seed: int) -> None:
    # Few distinct costs, so that ties are common.
    cost = np.random.default_rng(seed).integers(0, 4, (rows, clusters)).astype(np.float32)
    room = -(-rows // clusters) + spare
    labels = assign(cost, room)
    assert labels.shape == (rows,)
    assert labels.min() >= 0
    assert np.bincount(labels, minlength=clusters).max() <= room
    assert np.array_equal(labels, assign(cost, room))


def test_with_room_for_all_everyone_gets_the_nearest() -> None:
    cost = np.random.default_rng(0).random((50, 6)).astype(np.float32)
    assert np.array_equal(assign(cost, 50), cost.argmin(1))


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="7 rows do not fit 3 clusters of 2"):
        assign(np.zeros((7, 3), np.float32), 2)


def test_who_would_lose_most_stays() -> None:
    # Both want the first cluster; the second row's next choice is far away.
    assert assign(np.array([[0.0, 1.0], [0.5, 9.0]], np.float32), 1).tolist() == [1, 0]


def test_the_total_is_near_the_least_possible() -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        cost = ((rng.normal(size=(120, 1, 3)) - rng.normal(size=(1, 10, 3))) ** 2).sum(2).astype(np.float32)
        rows, seats = linear_sum_assignment(np.repeat(cost, 12, axis=1))
        least = cost[rows, seats // 12].sum()
        found = cost[np.arange(120), assign(cost, 12)].sum()
        assert least - 1e-3 <= found <= 1.5 * least < 0.6 * cost.mean() * 120


def test_clusters_fill_evenly_where_k_means_would_not() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(0, 0.1, (900, 4)), rng.normal(5, 0.1, (100, 4))]).astype(np.float32)
    labels, centroids = balanced_clusters(rows, np.array([[0.0] * 4, [5.0] * 4], np.float32))
    counts = np.bincount(labels, minlength=2)
    assert counts.max() <= capacity(1000, 2) == 550
    own = ((rows - centroids[labels]) ** 2).sum()
    assert own < ((rows - rows.mean(0)) ** 2).sum()
    for cluster in range(2):
        assert np.allclose(centroids[cluster], rows[labels == cluster].mean(0), atol=1e-4)


def skewed(items: int) -> np.ndarray:
    """Half of them in one tight bunch: k-means gives it a handful of codes."""
    rng = np.random.default_rng(2)
    bunch = rng.normal(0, 0.05, (items // 2, 6)) + 3
    return np.concatenate([bunch, rng.normal(0, 1.0, (items - items // 2, 6))]).astype(np.float32)


def test_balanced_semantic_ids_say_more_with_every_code() -> None:
    plain, even = (tokenize(skewed(400), 3, 16, 0, balanced) for balanced in (False, True))
    assert len(np.unique(even.codes, axis=0)) == 400
    for level in range(2):
        most = np.bincount(even.codes[:, level], minlength=16).max()
        assert most <= capacity(400, 16)
        assert most < np.bincount(plain.codes[:, level], minlength=16).max()
    assert even.report()["bits_1"] > plain.report()["bits_1"]


@settings(max_examples=30, deadline=None)
@given(items=st.integers(1, 30), depth=st.integers(2, 4), seed=st.integers(0, 99))
def test_balanced_semantic_ids_are_distinct_and_seeded(items: int, depth: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(0, 3, (items, 2)).astype(np.float32)
    found = tokenize(vectors, depth, 6, seed, balanced=True)
    assert len(np.unique(found.codes, axis=0)) == items
    assert np.array_equal(found.codes, tokenize(vectors, depth, 6, seed, balanced=True).codes)
