"""Semantic IDs from a sample: one path per item, the nearest codes, and the whole tokenizer's way with collisions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import sampled_codes
from models.sampled_codes import nearest, tokenize_sampled
from models.tokenizer import TokenizerError


@settings(max_examples=30, deadline=None)
@given(items=st.integers(1, 120), depth=st.integers(1, 3), seed=st.integers(0, 99), sample=st.integers(1, 150))
def test_every_item_has_a_path_of_its_own(items: int, depth: int, seed: int, sample: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(items, 3)).astype(np.float32)
    found, centroids = tokenize_sampled(vectors, depth, 128, sample, seed)
    assert centroids.shape == (depth, 128, 3)
    assert found.codes.shape == (items, depth)
    assert 0 <= found.codes.min() <= found.codes.max() < 128
    assert len(np.unique(found.codes, axis=0)) == items


def test_without_collisions_every_code_is_the_nearest() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    found, centroids = tokenize_sampled(vectors, 3, 64, 200, 0)
    residual, expected = vectors, []
    for level in centroids:
        expected.append(nearest(residual, level))
        residual = residual - level[expected[-1]]
    wanted = np.stack(expected, 1)
    _, inverse, counts = np.unique(wanted, axis=0, return_inverse=True, return_counts=True)
    alone = counts[inverse.ravel()] == 1
    assert found.collisions == 200 - len(counts)
    assert (found.codes[:, :2] == wanted[:, :2]).all()
    moved = (found.codes[:, 2] != wanted[:, 2]) & alone
    crowded = {tuple(row) for row in wanted[~alone][:, :2].tolist()}
    assert all(tuple(row) in crowded for row in wanted[moved][:, :2].tolist())


def test_one_parents_items_get_the_cheapest_distinct_codes() -> None:
    centroids = np.array([[0.0], [1.0], [5.0]], np.float32)
    items = np.array([[0.1], [0.2], [0.9]], np.float32)
    chosen = sampled_codes._assign(items, centroids, 4)
    cost = ((items - centroids[chosen[chosen < 3], 0][:, None]) ** 2) if (chosen < 3).all() else None
    assert sorted(chosen.tolist()) == [0, 1, 2]
    assert cost is not None


def test_the_nearest_is_found_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors, centroids = rng.normal(size=(50, 4)).astype(np.float32), rng.normal(size=(9, 4)).astype(np.float32)
    wanted = ((vectors[:, None] - centroids) ** 2).sum(2).argmin(1)
    monkeypatch.setattr(sampled_codes, "CHUNK", 7)
    assert np.array_equal(nearest(vectors, centroids), wanted)


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"10 items do not fit 3\^2"):
        tokenize_sampled(np.ones((10, 2), np.float32), 2, 3, 10, 0)
    with pytest.raises(TokenizerError, match="share a parent of 3 codes"):
        tokenize_sampled(np.ones((5, 2), np.float32), 2, 3, 5, 0)
