"""The real folder, where there is one: the facts its description states."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from models.data import Dataset, describe, load, renumber

pytestmark = pytest.mark.real_data

FACTS = {
    "beauty": {"users": 22_363, "items": 12_101, "rows": 198_502, "length_min": 5.0, "length_max": 204.0},
    "sports": {"users": 35_598, "items": 18_357, "rows": 296_337, "length_min": 5.0},
}


@pytest.fixture(scope="module")
def beauty(data_dir: Path) -> Dataset:
    return load("beauty", data_dir)


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_of_the_description_hold(data_dir: Path, name: str) -> None:
    dataset = load(name, data_dir)
    facts = describe(dataset)
    assert {fact: facts[fact] for fact in FACTS[name]} == FACTS[name]
    assert (facts["repeated_rows"], facts["train_only_users"], facts["text_dimensions"]) == (0, 0, 384)
    assert dataset.items.text is not None
    assert np.allclose(np.linalg.norm(dataset.items.text.astype(np.float32), axis=1), 1.0, atol=2e-3)


def test_beauty_is_its_own_5_core_and_leaks_order(data_dir: Path, beauty: Dataset) -> None:
    assert load("beauty", data_dir, k_core=5).digest == beauty.digest
    assert describe(beauty)["last_two_same_day_share"] == pytest.approx(0.43, abs=0.01)


def test_sequences_follow_the_file(data_dir: Path, beauty: Dataset) -> None:
    with gzip.open(data_dir / "beauty.interactions.csv.gz", "rt") as stream:
        rows = [line.rstrip("\n").split(",") for line in list(stream)[1:]]
    by_user: dict[str, list[str]] = {}
    for user, item, _ in sorted(rows, key=lambda row: int(row[2])):
        by_user.setdefault(user, []).append(item)
    ids = beauty.items.ids
    found = zip(beauty.users, beauty.sequences, strict=True)
    assert {user: [ids[row - 1] for row in sequence] for user, sequence in found} == by_user


def test_numbers_do_not_give_the_next_item_away(beauty: Dataset) -> None:
    """Numbered by first appearance, `highest row so far + 1` is the last item of 4.4 % of users."""
    for dataset in (beauty, renumber(beauty, 7)):
        test = dataset.split("A").test
        guess = np.asarray([history.max() + 1 for history in test.histories])
        assert (guess == test.targets).mean() < 0.002
