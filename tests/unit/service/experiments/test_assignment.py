"""Who is in which bucket: the header, then the hash, then nothing; pure, total, the same everywhere."""

import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import UnknownBucketError
from service.experiments.assignment import NOTHING, Assigned, Assignments, assign, bucket_of, gb_hash_v2
from service.experiments.config import Bucket, Experiment, Experiments, Overrides

DEEP = Overrides(tier="k100")
BUDGET = Experiment("budget", "budget-1", (Bucket("control", 0.5), Bucket("deep", 0.5, DEEP)))
RULE = Experiment(
    "rule",
    "rule",
    (Bucket("control", 0.2), Bucket("reward", 0.8, Overrides(rule=(0.0, 0.0)))),
    coverage=0.5,
)
LEFT, RIGHT = (
    Experiment(
        name,
        name,
        (Bucket(f"{name}-a", 0.5), Bucket(f"{name}-b", 0.5, Overrides(bundle=name))),
        layer="lay",
        layer_range=part,
    )
    for name, part in (("left", (0.0, 0.4)), ("right", (0.4, 0.8)))
)
ALL = Experiments((BUDGET, RULE, LEFT, RIGHT))
USERS = [f"user-{number}" for number in range(5000)]
ids = st.text(max_size=60) | st.uuids().map(str) | st.integers().map(str)


def buckets(found: Assignments) -> dict[str, tuple[str, str]]:
    return {one.experiment: (one.bucket, one.source) for one in found.all}


@settings(deadline=None)
@given(st.text(), st.text())
def test_the_hash_is_a_place_on_the_line(seed: str, value: str) -> None:
    place = gb_hash_v2(seed, value)
    assert 0 <= place < 1
    assert place * 10_000 == pytest.approx(round(place * 10_000))
    assert gb_hash_v2(seed, value) == place


@settings(deadline=None)
@given(ids)
def test_every_user_is_assigned_and_stays(user: str) -> None:
    found = assign(ALL, user, None)
    assert found == assign(ALL, user, None)
    assert [one.experiment for one in found.all] == ["budget", "rule", "left", "right"]
    assert found.primary is found.all[0]
    for experiment, one in zip(ALL.experiments, found.all, strict=True):
        chosen = {bucket.name: bucket.overrides for bucket in experiment.buckets}
        assert (one.source == "hash") == (one.bucket in chosen) == (one.bucket != "default")
        assert one.overrides == chosen.get(one.bucket, Overrides())
    assert found.primary.source == ("hash" if user else "default")


def test_another_process_assigns_alike() -> None:
    """Python's own hash differs between processes; ours must not."""
    code = (
        "from service.experiments.assignment import gb_hash_v2\n"
        "print([gb_hash_v2('s', f'user-{n}') for n in range(100)])"
    )
    command = [sys.executable, "-c", code]
    prints = [
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert prints[0] == prints[1]
    assert prints[0].decode() == f"{[gb_hash_v2('s', f'user-{n}') for n in range(100)]}\n"


@pytest.mark.parametrize("user", [None, ""])
def test_nobody_is_in_no_bucket(user: str | None) -> None:
    found = assign(ALL, user, None)
    assert set(buckets(found).values()) == {("default", "default")}
    assert (found.overrides, found.triples) == (Overrides(), ())


def test_without_experiments_nothing_changes() -> None:
    assert assign(Experiments(), "user-1", None) == Assignments((), NOTHING, Overrides())
    assert (NOTHING.experiment, NOTHING.bucket, NOTHING.source) == ("none", "default", "default")


def test_overrides_of_all_experiments_come_together() -> None:
    seen = Counter(assign(ALL, user, None).overrides for user in USERS)
    assert Overrides(tier="k100", rule=(0.0, 0.0), bundle="left") in seen
    assert Overrides(rule=(0.0, 0.0), bundle="right") in seen
    assert len(seen) == 2 * 2 * 3


def test_coverage_leaves_users_out_and_raising_it_moves_nobody() -> None:
    half = {user: bucket_of(RULE, user) for user in USERS}
    full = {user: bucket_of(replace(RULE, coverage=1.0), user) for user in USERS}
    assert None not in full.values()
    assert all(full[user] == bucket for user, bucket in half.items() if bucket)
    assert sum(bucket is None for bucket in half.values()) == pytest.approx(len(USERS) / 2, rel=0.1)


def test_experiments_of_one_layer_exclude_each_other() -> None:
    found = Counter(
        tuple(one.experiment for one in assign(ALL, user, None).all[2:] if one.source == "hash") for user in USERS
    )
    assert set(found) == {("left",), ("right",), ()}
    assert found[("left",)] == pytest.approx(0.4 * len(USERS), rel=0.1)
    assert found[()] == pytest.approx(0.2 * len(USERS), rel=0.1)


def test_being_in_a_layer_does_not_choose_the_bucket() -> None:
    found = Counter(one.bucket for user in USERS for one in assign(ALL, user, None).all if one.experiment == "left")
    assert found["left-a"] == pytest.approx(found["left-b"], rel=0.15)


@pytest.mark.parametrize("header", ["deep", "budget=deep", " budget = deep ", "reward,deep", "deep, rule=reward"])
@settings(deadline=None)
@given(user=ids | st.none())
def test_a_header_decides_and_the_others_still_hash(header: str, user: str | None) -> None:
    by_hash, found = assign(ALL, user, None), assign(ALL, user, header)
    assert found.primary == Assigned("budget", "deep", "header", DEEP)
    assert found.overrides.tier == "k100"
    assert found.all[2:] == by_hash.all[2:]
    if "reward" in header:
        assert (found.all[1].bucket, found.all[1].source) == ("reward", "header")
    else:
        assert found.all[1] == by_hash.all[1]


@settings(deadline=None)
@given(ids | st.none())
def test_a_header_rules_out_the_rest_of_its_layer(user: str | None) -> None:
    found = buckets(assign(ALL, user, "right-b"))
    assert (found["left"], found["right"]) == (("default", "default"), ("right-b", "header"))
    assert assign(ALL, user, "right-b").overrides.bundle == "right"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("depe", "budget=control, budget=deep.* Did you mean 'budget=deep'"),
        ("budget=reward", "There is no such bucket"),
        ("other=deep", "There is no such bucket"),
        ("Deep", "There is no such bucket"),
        ("default", "There is no such bucket"),
        ("", "There is no such bucket"),
        ("deep,", "There is no such bucket"),
        ("deep;reward", "There is no such bucket"),
        ("a" * 60_000, "There is no such bucket"),
        ("=", "There is no such bucket"),
        ("budget=deep=deep", "There is no such bucket"),
        ("control", "budget=control or rule=control"),
        ("deep,deep", "'budget' is named twice"),
        ("deep,budget=control", "'budget' is named twice"),
        ("left-a,right=right-a", "'left' and 'right' share a layer"),
    ],
)
def test_a_header_that_names_no_bucket_is_refused(header: str, words: str) -> None:
    with pytest.raises(UnknownBucketError, match=words):
        assign(ALL, "user-1", header)


def test_without_experiments_a_header_can_name_nothing() -> None:
    with pytest.raises(UnknownBucketError, match="No experiment is configured"):
        assign(Experiments(), None, "deep")


@settings(deadline=None)
@given(st.text(), ids | st.none())
def test_any_header_is_honoured_or_refused(header: str, user: str | None) -> None:
    with suppress(UnknownBucketError):
        assert "header" in {one.source for one in assign(ALL, user, header).all}


def test_an_error_lists_no_more_than_a_person_reads() -> None:
    many = Experiments(
        tuple(
            Experiment(f"e{number}", f"s{number}", tuple(Bucket(f"b{each}", 1 / 32) for each in range(32)))
            for number in range(32)
        )
    )
    with pytest.raises(UnknownBucketError, match="…") as raised:
        assign(many, None, "nothing")
    assert len(raised.value.detail) < 500
