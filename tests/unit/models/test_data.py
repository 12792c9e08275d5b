"""Loading, filtering, splitting and renumbering, as properties of generated data."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.data import Dataset, Items, describe, k_core_mask, load, renumber, shuffle_same_day
from models.readers import DataError

Row = tuple[str, str, int]
DAY = 86_400
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
a_row = st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh"), st.integers(0, 9).map(lambda n: n * DAY // 3))
some_rows = st.lists(a_row, min_size=1, max_size=60)
a_seed = st.integers(0, 1000)


def csv_file(folder: Path, rows: list[Row], name: str = "own.csv") -> Path:
    path = folder / name
    text = "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def named(dataset: Dataset) -> dict[str, list[str]]:
    """Sequences in terms of ids: what must not depend on any numbering."""
    ids = dataset.items.ids
    pairs = zip(dataset.users, dataset.sequences, strict=True)
    return {user: [ids[row - 1] for row in sequence] for user, sequence in pairs}


def expected(rows: list[Row]) -> dict[str, list[str]]:
    by_time: dict[str, list[str]] = {}
    for user, item, _ in sorted(rows, key=lambda row: row[2]):
        by_time.setdefault(user, []).append(item)
    return by_time


@EXAMPLES
@given(rows=some_rows, seed=a_seed)
def test_sequences_are_a_stable_sort_by_user_and_time(tmp_path: Path, rows: list[Row], seed: int) -> None:
    dataset = load(str(csv_file(tmp_path, rows)), seed=seed)
    assert named(dataset) == expected(rows)
    assert all(sequence.dtype == np.int32 and sequence.min() >= 1 for sequence in dataset.sequences)
    assert all(np.all(np.diff(times) >= 0) for times in dataset.timestamps)
    assert sorted(dataset.items.ids) == sorted({item for _, item, _ in rows})


@EXAMPLES
@given(rows=some_rows, seed=a_seed)
def test_rows_depend_on_the_data_and_the_seed_alone(tmp_path: Path, rows: list[Row], seed: int) -> None:
    distinct = list({(user, item): (user, item, n) for n, (user, item, _) in enumerate(rows)}.values())
    one = load(str(csv_file(tmp_path, distinct)), seed=seed)
    other = load(str(csv_file(tmp_path, distinct[::-1])), seed=seed)
    assert (one.items.ids, one.users, one.digest) == (other.items.ids, other.users, other.digest)
    assert all(map(np.array_equal, one.sequences, other.sequences))
    assert load(str(csv_file(tmp_path, distinct)), seed=seed + 1).digest == one.digest


def test_items_are_not_numbered_in_any_order_of_the_file(tmp_path: Path) -> None:
    rows = [(f"u{n % 40:02}", f"i{n:03}", n) for n in range(400)]
    ids = load(str(csv_file(tmp_path, rows)), seed=3).items.ids
    assert abs(np.corrcoef(np.arange(400), [int(item[1:]) for item in ids])[0, 1]) < 0.2
    assert ids != load(str(csv_file(tmp_path, rows)), seed=4).items.ids


def test_the_digest_changes_with_the_content(tmp_path: Path) -> None:
    rows = [("u", "a", 1), ("u", "b", 2), ("v", "a", 3)]
    changed = [
        rows,
        [("u", "b", 1), ("u", "a", 2), ("v", "a", 3)],
        [*rows, ("v", "b", 9)],
        [("w", *r[1:]) for r in rows],
    ]
    assert len({load(str(csv_file(tmp_path, each))).digest for each in changed}) == len(changed)


@EXAMPLES
@given(rows=some_rows, setting=st.sampled_from("AB"))
def test_a_split_holds_out_the_last_items(tmp_path: Path, rows: list[Row], setting: Literal["A", "B"]) -> None:
    # Every row its own item, so that "never contains" can be said of items.
    dataset = load(str(csv_file(tmp_path, [(user, f"{item}{n}", time) for n, (user, item, time) in enumerate(rows)])))
    split = dataset.split(setting)
    assert len(split.train) == len(dataset.users)
    assert split.evaluated.tolist() == [u for u, sequence in enumerate(dataset.sequences) if len(sequence) >= 3]
    for n, user in enumerate(split.evaluated):
        whole = dataset.sequences[user].tolist()
        train = split.train[user].tolist()
        assert train == (whole[:-2] if setting == "A" else whole[:-1])
        assert not {whole[-1], *(whole[-2:] if setting == "A" else [])} & set(train)
        assert (split.validation.histories[n].tolist(), split.validation.targets[n]) == (whole[:-2], whole[-2])
        assert (split.test.histories[n].tolist(), split.test.targets[n]) == (whole[:-1], whole[-1])
    for user in set(range(len(dataset.users))) - set(split.evaluated.tolist()):
        assert np.array_equal(split.train[user], dataset.sequences[user])
    assert split.test.targets.dtype == split.validation.targets.dtype == np.int32
    assert len(split.test.targets) == len(split.validation.targets) == len(split.evaluated)


def test_a_third_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown setting 'C'"):
        load(str(csv_file(tmp_path, [("u", "a", 1)]))).split("C")  # type: ignore[arg-type]


def codes(rows: list[Row], column: int) -> NDArray[np.int64]:
    return np.unique([str(row[column]) for row in rows], return_inverse=True)[1].astype(np.int64)


@EXAMPLES
@given(rows=some_rows, k=st.integers(2, 5))
def test_a_k_core_is_the_largest_fixed_point(rows: list[Row], k: int) -> None:
    users, items = codes(rows, 0), codes(rows, 1)
    keep = k_core_mask(users, items, k)
    assert all(count >= k for column in (users, items) for count in Counter(column[keep].tolist()).values())
    if keep.any():
        assert k_core_mask(users[keep], items[keep], k).all()
    left = list(range(len(rows)))  # one violation at a time, in file order: the core does not depend on the order
    while True:
        counts = [Counter(int(column[n]) for n in left) for column in (users, items)]
        bad = next((n for n in left if counts[0][int(users[n])] < k or counts[1][int(items[n])] < k), None)
        if bad is None:
            break
        left.remove(bad)
    assert np.flatnonzero(keep).tolist() == left


def test_load_filters_to_the_k_core_and_says_when_nothing_is_left(tmp_path: Path) -> None:
    core = [(user, item, 1) for user in "uv" for item in "ab"]
    dataset = load(str(csv_file(tmp_path, [*core, ("w", "a", 1), ("u", "c", 1)])), k_core=2)
    assert (sorted(dataset.users), sorted(dataset.items.ids)) == (["u", "v"], ["a", "b"])
    with pytest.raises(DataError, match=r"own\.csv: nothing is left of this file after 3-core"):
        load(str(csv_file(tmp_path, core)), k_core=3)


def with_features(dataset: Dataset) -> Dataset:
    ids = dataset.items.ids
    text = np.asarray([[ord(item), len(item)] for item in ids], dtype=np.float16)
    items = Items(
        ids, text, [(item, "x") for item in ids], [f"brand {item}" for item in ids], [item * 2 for item in ids]
    )
    return Dataset(dataset.name, items, dataset.users, dataset.sequences, dataset.timestamps, 0, dataset.digest)


@EXAMPLES
@given(rows=some_rows, seed=a_seed)
def test_renumbering_is_a_bijection_on_sequences(tmp_path: Path, rows: list[Row], seed: int) -> None:
    before = with_features(load(str(csv_file(tmp_path, rows))))
    after = renumber(before, seed)
    assert named(after) == named(before)
    assert (after.users, after.digest) == (before.users, before.digest)
    pairs = {*zip(np.concatenate(before.sequences).tolist(), np.concatenate(after.sequences).tolist(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(before.items.ids)
    assert after.items.text is not None
    assert [int(code) for code in after.items.text[:, 0]] == [ord(item) for item in after.items.ids]
    assert after.items.category == [(item, "x") for item in after.items.ids]
    assert after.items.brand == [f"brand {item}" for item in after.items.ids]
    assert after.items.title == [item * 2 for item in after.items.ids]
    assert all(map(np.array_equal, renumber(after, 0).sequences, before.sequences))


@EXAMPLES
@given(rows=some_rows, seed=a_seed)
def test_shuffling_moves_items_only_within_a_day(tmp_path: Path, rows: list[Row], seed: int) -> None:
    before = load(str(csv_file(tmp_path, rows)))
    after = shuffle_same_day(before, seed)
    for user in range(len(before.users)):
        days = before.timestamps[user] // DAY
        assert np.array_equal(days, after.timestamps[user] // DAY)
        for day in set(days.tolist()):
            there = days == day
            pairs = [
                sorted(zip(d.sequences[user][there], d.timestamps[user][there], strict=True)) for d in (before, after)
            ]
            assert pairs[0] == pairs[1]
    assert all(map(np.array_equal, after.sequences, shuffle_same_day(before, seed).sequences))


def test_shuffling_does_shuffle(tmp_path: Path) -> None:
    before = load(str(csv_file(tmp_path, [("u", f"i{n}", 5) for n in range(30)])))
    after = shuffle_same_day(before, 0)
    assert named(after) != named(before)
    assert after.digest != before.digest


def test_describe_counts_what_is_there(tmp_path: Path) -> None:
    rows = [("u", "a", DAY), ("u", "b", 2 * DAY), ("u", "a", 2 * DAY + 1), ("v", "a", 0), ("v", "b", DAY)]
    facts = describe(load(str(csv_file(tmp_path, rows))))
    wanted = {"name": "own", "users": 2, "items": 2, "rows": 5, "density": 1.25, "evaluated_users": 1}
    wanted |= {"train_only_users": 1, "repeated_rows": 1, "last_two_same_day_share": 1.0, "rows_without_time": 1}
    wanted |= {"length_min": 2.0, "length_median": 2.5, "length_max": 3.0, "text_dimensions": 0, "items_with_brand": 0}
    wanted |= {"first_day": "1970-01-02", "last_day": "1970-01-03", "seed": 0}
    assert {name: facts[name] for name in wanted} == wanted
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("option", [{"k_core": -1}, {"seed": -1}])
def test_negative_options_are_refused(tmp_path: Path, option: dict[str, int]) -> None:
    with pytest.raises(DataError, match="must not be negative"):
        load(str(csv_file(tmp_path, [("u", "a", 1)])), **option)  # type: ignore[arg-type]
