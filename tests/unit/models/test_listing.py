"""What a bundle says of its items, and what it must not give away."""

from itertools import pairwise

import numpy as np
import pytest
from tiny import made_dataset, made_sequences

from models.data import renumber
from models.dataset import Dataset
from models.listing import listing, popularity, train_digest, walks

ITEMS = 30


@pytest.fixture
def dataset() -> Dataset:
    return made_dataset(made_sequences(50, ITEMS, seed=4), ITEMS)


def test_popularity_counts_training_interactions_only(dataset: Dataset) -> None:
    for setting, held_out in (("A", 2), ("B", 1)):
        counts = popularity(dataset.split("A" if setting == "A" else "B"), ITEMS)
        wanted = [sum((rows[:-held_out] == row).sum() for rows in dataset.sequences) for row in range(1, ITEMS + 1)]
        assert counts.tolist() == wanted
        assert counts.dtype == np.int32


def test_facts_stand_in_row_order(dataset: Dataset) -> None:
    other = renumber(dataset, 9)
    one, two = listing(dataset, dataset.split("A")), listing(other, other.split("A"))
    assert one.ids == dataset.items.ids != two.ids
    assert dict(zip(one.ids, one.category, strict=True)) == dict(zip(two.ids, two.category, strict=True))
    assert one.category[0] == "all > kind 0"
    assert dict(zip(one.ids, one.popularity, strict=True)) == dict(zip(two.ids, two.popularity, strict=True))
    assert all(item in one.ids for sample in one.samples for item in sample)


def test_walks_follow_co_occurrence_without_repeats(dataset: Dataset) -> None:
    split = dataset.split("A")
    near = {
        (int(one), int(other))
        for rows in split.train
        for here, one in enumerate(rows)
        for other in rows[max(0, here - 3) : here + 4]
    }
    found = walks(split, ITEMS, 40, 0)
    assert 30 < len(found) <= 40
    for walk in found:
        assert 3 <= len(walk) <= 12
        assert len(set(walk)) == len(walk)
        assert all(step in near for step in pairwise(walk))
    assert found == walks(split, ITEMS, 40, 0) != walks(split, ITEMS, 40, 1)


def test_no_walk_is_the_whole_sequence_of_a_user() -> None:
    """Two threes are all that users took, one as a whole and one before the held-out item: walks find both."""
    dataset = made_dataset([[1, 2, 3]] * 3 + [[4, 5, 6, 7]] * 3 + [[8, 9, 10, 11, 12]], 12)
    for setting in ("A", "B"):
        split = dataset.split("A" if setting == "A" else "B")
        own = {tuple(rows.tolist()) for rows in (*split.train, *dataset.sequences)}
        found = {tuple(walk) for walk in walks(split, 12, 300, 0)}
        assert not found & own
        assert all(len(walk) >= 3 for walk in found)
    assert found, "walks that are nobody's are still there"


def test_without_co_occurrence_there_are_no_walks() -> None:
    dataset = made_dataset([[1, 2, 3], [4, 5, 6]], 6)
    assert walks(dataset.split("A"), 6, 10, 0) == []


def test_the_digest_tells_the_settings_apart_and_not_the_numbering(dataset: Dataset) -> None:
    digests = {setting: train_digest(dataset, dataset.split(setting)) for setting in ("A", "B")}
    assert digests["A"] != digests["B"]
    other = renumber(dataset, 5)
    assert train_digest(other, other.split("B")) == digests["B"]
    reordered = made_dataset([rows[::-1] for rows in dataset.sequences], ITEMS)
    assert train_digest(reordered, reordered.split("B")) != digests["B"]


def test_the_digest_says_who_took_what() -> None:
    one, other = made_dataset([[1, 2, 3, 4], [5, 6, 7]], 7), made_dataset([[5, 6, 7], [1, 2, 3, 4]], 7)
    assert train_digest(one, one.split("A")) != train_digest(other, other.split("A"))
