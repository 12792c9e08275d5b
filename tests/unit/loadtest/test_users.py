"""The made users: legal histories, the same for a seed, as many as asked, coming back as Zipf says."""

from pathlib import Path

import numpy as np
import pytest
from made_users import ITEMS, made_items, write

from loadtest import workload
from loadtest.workload import WorkloadError


@pytest.mark.parametrize("samples", [0, 1, 4])
@pytest.mark.parametrize("length", [None, 1, 30])
def test_a_history_repeats_nothing_and_every_item_is_known(samples: int, length: int | None) -> None:
    items = made_items(samples)
    found = workload.histories(items, 300, seed=3, length=length)
    assert len(found) == 300
    assert all(len(set(history)) == len(history) and set(history) <= set(items.ids.tolist()) for history in found)
    assert {len(history) for history in found} == {length} if length else min(map(len, found)) == 3
    assert len(set(found)) > 100 or length == 1
    assert workload.histories(items, 300, seed=3, length=length) == found
    assert workload.histories(items, 300, seed=4, length=length) != found


def test_distinct_histories() -> None:
    items = made_items(samples=1)
    found = workload.distinct(items, 400, length=3)
    assert len(set(found)) == len(found) == 400
    with pytest.raises(WorkloadError, match="different histories"):
        workload.distinct(items, 400, length=1)


def test_lengths_are_those_of_real_users_in_the_mean() -> None:
    lengths = [len(history) for history in workload.histories(made_items(), 4000)]
    assert np.mean(lengths) == pytest.approx(workload.MEAN_LENGTH, rel=0.1)


def test_more_items_than_there_are_gives_all() -> None:
    assert sorted(workload.histories(made_items(), 1, length=5 * ITEMS)[0]) == made_items().ids.tolist()


def test_popular_items_are_drawn_more_often() -> None:
    items = made_items(samples=0)
    counts = dict.fromkeys(items.ids.tolist(), 0)
    for history in workload.histories(items, 3000, length=3):
        for item in history:
            counts[item] += 1
    assert np.corrcoef([counts[item] for item in items.ids.tolist()], items.popularity)[0, 1] > 0.9


def test_zipf_visits() -> None:
    counts = np.bincount(workload.zipf(50, 100_000, 1.0), minlength=50)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.2)
    assert np.array_equal(workload.zipf(50, 100, 1.0, seed=1), workload.zipf(50, 100, 1.0, seed=1))


def test_a_user_comes_back_with_the_same_history_unless_it_grew() -> None:
    constant, growing = (workload.visits(made_items(), 20, 2000, bought=bought, longest=12) for bought in (0.0, 0.5))
    assert len({(visit.user, visit.history) for visit in constant}) == len({visit.user for visit in constant})
    assert [visit.user for visit in constant] == [visit.user for visit in growing]
    last: dict[int, workload.History] = {}
    changed = 0
    for visit in growing:
        before = last.get(visit.user, visit.history)
        if visit.history != before:
            changed += 1
            assert [item for item in before if item != visit.history[-1]][-11:] == list(visit.history[:-1])[-11:]
        last[visit.user] = visit.history
    assert changed == pytest.approx(1000, rel=0.15)
    assert max(len(visit.history) for visit in growing) <= max(12, max(len(visit.history) for visit in constant))


def test_a_folder_is_read_back(tmp_path: Path) -> None:
    items = made_items()
    write(items, tmp_path)
    read = workload.read_items(tmp_path)
    assert workload.histories(read, 50) == workload.histories(items, 50)


def test_a_folder_without_a_catalogue_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "catalogue.npz").write_text("no archive")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(WorkloadError, match="no readable catalogue"):
            workload.read_items(folder)


def test_the_shipped_bundle_makes_users() -> None:
    bundle = Path(__file__).resolve().parents[3] / "models" / "bundles" / "beauty"
    assert len(set(workload.histories(workload.read_items(bundle), 500))) > 490
