"""PPMI against loops, and vectors that mean what they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.collaborative import cooccurrence, fill_from_text, normalise, ppmi, vectors

F64 = NDArray[np.float64]
ITEMS = 6
some_sequences = st.lists(st.lists(st.integers(1, ITEMS), max_size=7), max_size=6)


def arrays(sequences: list[list[int]]) -> list[NDArray[np.int32]]:
    return [np.array(rows, np.int32) for rows in sequences]


def counted_by_hand(sequences: list[list[int]], window: int) -> F64:
    counts = np.zeros((ITEMS, ITEMS))
    for rows in sequences:
        for here, one in enumerate(rows):
            for there, other in enumerate(rows):
                if here != there and abs(here - there) <= window:
                    counts[one - 1, other - 1] += 1 / abs(here - there)
    return counts


def ppmi_by_hand(counts: F64) -> F64:
    context = [sum(counts[:, column]) ** 0.75 for column in range(ITEMS)]
    found = np.zeros_like(counts)
    for row in range(ITEMS):
        for column in range(ITEMS):
            if counts[row, column]:
                expected = sum(counts[row]) * context[column] / sum(context)
                found[row, column] = max(0.0, math.log(counts[row, column] / expected))
    return found


@settings(max_examples=60, deadline=None)
@given(sequences=some_sequences, window=st.integers(1, 5))
def test_counts_and_ppmi_agree_with_loops(sequences: list[list[int]], window: int) -> None:
    counts = cooccurrence(arrays(sequences), ITEMS, window)
    assert np.allclose(counts.toarray(), counted_by_hand(sequences, window), atol=1e-5)
    assert np.allclose(ppmi(counts).toarray(), ppmi_by_hand(counts.toarray().astype(np.float64)), atol=1e-5)


def test_vectors_reproduce_the_association_they_factor() -> None:
    sequences = arrays([[1, 2, 3], [3, 4], [5, 1, 4], [2, 4, 5]])
    found = vectors(sequences, 5, 4, 5, 0)
    assert found.shape == (5, 4)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    gram = found @ found.T
    assert np.allclose(vectors(sequences, 5, 4, 5, 1) @ vectors(sequences, 5, 4, 5, 1).T, gram, atol=1e-4)


def test_items_bought_with_the_same_others_are_near() -> None:
    sequences = arrays([[1, 2], [3, 2], [1, 4], [3, 4], [5, 6], [5, 6]])
    found = vectors(sequences, ITEMS, 3, 5, 0)
    assert found[0] @ found[2] == pytest.approx(1, abs=1e-3)
    assert abs(found[0] @ found[4]) < 0.5


@pytest.mark.parametrize("sequences", [[[1, 2]], [[1, 2], [3, 4]], [[1, 2, 3], [3, 4], [5, 1, 4]]])
def test_the_seed_decides_also_where_the_rank_is_low(sequences: list[list[int]]) -> None:
    one, same = (vectors(arrays(sequences), ITEMS, 5, 5, 3) for _ in range(2))
    assert np.array_equal(one, same)


@pytest.mark.parametrize("sequences", [[], [[1], [2]], [[3, 3]]])
def test_where_nothing_co_occurs_vectors_are_finite(sequences: list[list[int]]) -> None:
    assert np.isfinite(vectors(arrays(sequences), ITEMS, 3, 5, 0)).all()
    assert np.isfinite(vectors([], 1, 3, 5, 0)).all()


def test_items_alone_are_zero_and_filled_from_their_text() -> None:
    sequences = arrays([[1, 2], [2, 1], [3, 4], [4, 3]])
    text = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1]], np.float32)
    bare = vectors(sequences, ITEMS, 2, 5, 0)
    assert not bare[4:].any()
    filled = fill_from_text(bare, text)
    assert np.array_equal(filled[:4], bare[:4])
    assert np.allclose(np.linalg.norm(filled, axis=1), 1, atol=1e-5)
    assert filled[4] @ bare[0] > 0.9 > 0.5 > filled[5] @ bare[0]


def test_there_is_nothing_to_fill_without_text_or_without_a_known_vector() -> None:
    some = np.array([[1, 0], [0, 0]], np.float32)
    assert fill_from_text(some, None) is some
    nothing = np.zeros((2, 2), np.float32)
    assert fill_from_text(nothing, np.ones((2, 3), np.float32)) is nothing


def test_zero_rows_stay_zero() -> None:
    assert np.array_equal(normalise(np.array([[0, 0], [3, 4]], np.float32)), np.array([[0, 0], [0.6, 0.8]], np.float32))
    assert not ppmi(csr_matrix(np.zeros((3, 3), np.float32))).toarray().any()
