"""Semantic IDs: one path per item whatever the vectors, and a report that adds up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.recipe import SidSource, TokenizerRecipe
from models.tokenizer import SemanticIds, TokenizerError, item_vectors, tokenize

F32 = NDArray[np.float32]
SEQUENCES = [np.array(rows, np.int32) for rows in ([1, 2, 3], [2, 3, 4], [4, 5, 1], [1, 3, 5])]


@st.composite
def some_vectors(draw: st.DrawFn) -> tuple[F32, int, int]:
    """Few distinct values, so that duplicates and crowded parents are common; (vectors, depth, codebook)."""
    depth, codebook = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    items = draw(st.integers(1, min(codebook**depth, 24)))
    values = draw(st.lists(st.integers(0, 3), min_size=2 * items, max_size=2 * items))
    return np.array(values, np.float32).reshape(items, 2), depth, codebook


def distinct(found: SemanticIds) -> bool:
    return len(np.unique(found.codes, axis=0)) == len(found.codes)


@settings(max_examples=60, deadline=None)
@given(case=some_vectors(), seed=st.integers(0, 99))
def test_every_item_has_a_path_of_its_own(case: tuple[F32, int, int], seed: int) -> None:
    vectors, depth, codebook = case
    found = tokenize(vectors, depth, codebook, seed)
    assert found.codes.shape == (len(vectors), depth)
    assert found.codes.dtype == np.int32
    assert found.codes.min() >= 0
    assert found.codes.max() < codebook
    assert distinct(found)
    assert 0 <= found.collisions < len(vectors)


@settings(max_examples=30, deadline=None)
@given(case=some_vectors(), seed=st.integers(0, 99))
def test_the_report_adds_up(case: tuple[F32, int, int], seed: int) -> None:
    vectors, depth, codebook = case
    report = tokenize(vectors, depth, codebook, seed).report()
    bits = [report[f"bits_{b}"] for b in range(1, depth + 1)]
    paths = [report[f"paths_{b}"] for b in range(1, depth + 1)]
    assert sum(bits) == pytest.approx(np.log2(len(vectors)), abs=1e-9)
    assert all(-1e-9 <= one <= np.log2(codebook) + 1e-9 for one in bits)
    assert paths == sorted(paths)
    assert paths[-1] == report["items"] == len(vectors)
    assert all(0 < report[f"codebook_use_{b}"] <= 1 for b in range(1, depth + 1))


@pytest.mark.parametrize(("depth", "codebook", "items"), [(1, 9, 9), (2, 3, 9), (3, 2, 8), (4, 2, 16), (3, 3, 25)])
def test_more_items_than_one_parent_can_hold_spill_over(depth: int, codebook: int, items: int) -> None:
    found = tokenize(np.ones((items, 4), np.float32), depth, codebook, 0)
    assert distinct(found)
    assert found.collisions == items - 1


def test_vectors_apart_keep_their_clusters() -> None:
    centres = np.array([[0, 0], [100, 0], [0, 100]], np.float32)
    offsets = np.array([[0, 0], [1, 0], [0, 3]], np.float32)
    found = tokenize((centres[:, None] + offsets).reshape(-1, 2), 2, 3, 0)
    first = found.codes[:, 0].reshape(3, 3)
    assert np.all(first == first[:, :1])
    assert len(set(first[:, 0])) == 3
    assert found.collisions == 0


def test_the_seed_decides_and_nothing_else() -> None:
    vectors = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
    one, same, other = (tokenize(vectors, 3, 8, seed).codes for seed in (4, 4, 5))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("items", "depth", "codebook"), [(10, 2, 3), (5, 1, 4), (2, 0, 8)])
def test_too_many_items_are_refused(items: int, depth: int, codebook: int) -> None:
    with pytest.raises(TokenizerError, match=rf"{items} items do not fit {codebook}\^{depth}"):
        tokenize(np.ones((items, 2), np.float32), depth, codebook, 0)


@pytest.mark.parametrize("source", ["text", "joined"])
def test_text_that_is_missing_is_named(source: SidSource) -> None:
    with pytest.raises(TokenizerError, match=f"'{source}' need text embeddings"):
        item_vectors(TokenizerRecipe(source=source), SEQUENCES, 5, None, 0)


def test_each_source_looks_at_its_own() -> None:
    text = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float16)

    def vectors(source: SidSource, sequences: list[NDArray[np.int32]], words: NDArray[np.float16]) -> F32:
        return item_vectors(TokenizerRecipe(source=source, dimensions=3), sequences, 5, words, 0)

    assert np.array_equal(vectors("text", SEQUENCES, text), vectors("text", [], text))
    assert np.array_equal(vectors("collaborative", SEQUENCES, text), vectors("collaborative", SEQUENCES, -text))
    joined = vectors("joined", SEQUENCES, text)
    assert joined.shape == (5, 10)
    assert np.allclose(np.linalg.norm(joined[:, 3:], axis=1), 0.5, atol=1e-3)


def test_only_the_training_interactions_are_looked_at() -> None:
    recipe = TokenizerRecipe(dimensions=3)
    full = [np.append(rows, [5, 2]).astype(np.int32) for rows in SEQUENCES]
    seen = item_vectors(recipe, [rows[:-2] for rows in full], 5, None, 0)
    assert np.array_equal(seen, item_vectors(recipe, SEQUENCES, 5, None, 0))
    assert not np.array_equal(seen, item_vectors(recipe, full, 5, None, 0))
