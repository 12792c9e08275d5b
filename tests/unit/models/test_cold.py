"""Cold items: nothing of them is left in training, and their semantic IDs come from content alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import made_dataset, made_sequences, made_text

from models.cold import Cold, ColdError, hold_out, semantic_ids
from models.dataset import Cases
from models.study.cold import by_category, cases
from models.tokenizer import tokenize

ITEMS = 40
DATASET = made_dataset(made_sequences(30, ITEMS), ITEMS, made_text(ITEMS))


@pytest.fixture(scope="module")
def cold() -> Cold:
    return hold_out(DATASET, 0.2, 0)


def test_a_seeded_share_is_held_out(cold: Cold) -> None:
    assert len(cold.rows) == 8
    assert len(cold.warm.items.ids) == 32
    assert cold.first == 33
    assert np.array_equal(cold.rows, hold_out(DATASET, 0.2, 0).rows)
    assert not np.array_equal(cold.rows, hold_out(DATASET, 0.2, 1).rows)


def test_what_is_left_is_the_data_without_them(cold: Cold) -> None:
    held = {DATASET.items.ids[row - 1] for row in cold.rows}
    for user, (before, after) in enumerate(zip(DATASET.sequences, cold.warm.sequences, strict=True)):
        names = [DATASET.items.ids[row - 1] for row in before]
        assert [cold.warm.items.ids[row - 1] for row in after] == [name for name in names if name not in held]
        kept = [at for at, name in enumerate(names) if name not in held]
        assert np.array_equal(cold.warm.timestamps[user], DATASET.timestamps[user][kept])
    text, warm = DATASET.items.text, cold.warm.items.text
    assert text is not None
    assert warm is not None
    for name, words in zip(cold.warm.items.ids, warm, strict=True):
        assert np.array_equal(words, text[DATASET.items.ids.index(name)])
    assert cold.warm.digest != DATASET.digest


def test_training_sees_no_more_than_the_whole_dataset_would(cold: Cold) -> None:
    for before, after in zip(DATASET.split("A").train, cold.warm.split("A").train, strict=True):
        if len(after) > 2:
            assert set(after) <= set(cold.place[before])


def test_places_number_the_warm_first_and_the_cold_behind(cold: Cold) -> None:
    assert cold.place[0] == 0
    assert sorted(cold.place[1:]) == list(range(1, ITEMS + 1))
    assert cold.place[cold.rows].tolist() == list(range(33, 41))


@pytest.mark.parametrize("share", [0.0, 1.0, 0.99, -0.1])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ColdError, match="cannot be held out"):
        hold_out(DATASET, share, 0)


def test_cases_are_those_with_a_cold_target_and_a_history_without(cold: Cold) -> None:
    one, other = cold.rows[:2]
    warm = [int(row) for row in range(1, ITEMS + 1) if row not in cold.rows][:3]
    given_cases = Cases(
        [np.array(rows, np.int32) for rows in ([warm[0], one, warm[1]], [warm[0], warm[1]], [one])],
        np.array([other, warm[2], other], np.int32),
    )
    found = cases(cold, given_cases)
    assert [history.tolist() for history in found.histories] == [cold.place[warm[:2]].tolist()]
    assert found.targets.tolist() == [34]


@settings(max_examples=40, deadline=None)
@given(known=st.integers(4, 40), new=st.integers(1, 12), seed=st.integers(0, 99))
def test_new_items_get_free_and_different_paths(known: int, new: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(known + new, 3)).astype(np.float32)
    codes = tokenize(vectors[:known], 3, 16, seed).codes
    found = semantic_ids(codes, vectors[:known], vectors[known:], 16)
    both = np.concatenate([codes, found])
    assert len(np.unique(both, axis=0)) == known + new
    assert found.min() >= 0
    assert found.max() < 16


def test_a_new_item_lands_among_its_like() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (4, 6))
    kind = np.repeat(np.arange(4), 12)
    vectors = (centres[kind] + rng.normal(0, 1, (48, 6))).astype(np.float32)
    codes = tokenize(vectors, 3, 8, 0).codes
    new = (centres + rng.normal(0, 0.3, (4, 6))).astype(np.float32)
    found = semantic_ids(codes, vectors, new, 8)
    for one, path in enumerate(found):
        assert path[0] in codes[kind == one, 0]


def test_a_copy_of_a_known_item_becomes_its_sibling() -> None:
    vectors = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    codes = tokenize(vectors, 2, 8, 0).codes
    assert semantic_ids(codes, vectors, vectors[5:6], 8)[0, 0] == codes[5, 0]


def test_a_full_parent_is_refused() -> None:
    codes = np.array([[0, 0], [0, 1], [1, 0]], np.int32)
    vectors = np.array([[0.0, 0], [0, 1], [9, 9]], np.float32)
    with pytest.raises(ColdError, match=r"no semantic ID is left below \(0,\)"):
        semantic_ids(codes, vectors, vectors[:1], 2)


def test_a_category_scores_by_its_warm_items_and_an_unknown_one_by_the_one_above() -> None:
    paths = [("a", "x"), ("a", "x"), ("a", "y"), ("b",), ("a", "x"), ("a", "new"), ("c",)]
    found = by_category(np.array([4, 2, 9, 1], np.int32), paths)
    assert found.tolist() == [3.0, 3.0, 9.0, 1.0, 3.0, 5.0, 4.0]
