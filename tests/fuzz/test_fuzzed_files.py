"""Files that people write, of every kind: read to what was meant, or refused in a sentence of the declared error."""

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from bulk import Bulk
from hypothesis import strategies as st
from small_bundle import encoded, files, manifest
from taken import check_sentence

from models.features import read_items
from models.interactions import Columns, read_interactions
from models.manifest import Manifest
from models.readers import DataError
from service.api import keys_file
from service.engine.bundle import BundleError, read_manifest
from service.engine.titles import read as read_titles
from service.errors import ExperimentsError, KeysError
from service.experiments.config import Experiments

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("none", "default")
)
TIERS = ("floor", "k10", "k20")


@pytest.fixture
def bulk(pytestconfig: pytest.Config) -> Bulk:
    return Bulk(pytestconfig)


@st.composite
def experiments(draw: st.DrawFn) -> dict[str, Any]:
    """One experiment that is right."""
    buckets = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    shares = draw(st.lists(st.integers(1, 9), min_size=len(buckets), max_size=len(buckets)))
    weights = [share / sum(shares) for share in shares]
    tiers = draw(st.lists(st.none() | st.sampled_from(TIERS), min_size=len(buckets), max_size=len(buckets)))
    entries = [
        {"name": bucket, "weight": weight} | ({} if tier is None else {"tier": tier})
        for bucket, weight, tier in zip(buckets, weights, tiers, strict=True)
    ]
    layered = draw(st.booleans())
    layer = {"layer": draw(names), "range": [draw(st.integers(0, 4)) / 10, draw(st.integers(5, 10)) / 10]}
    return {
        "name": draw(names),
        "coverage": draw(st.integers(0, 1000)) / 1000,
        "buckets": entries,
        **(layer if layered else {}),
    }


def test_an_experiment_means_what_was_written(bulk: Bulk) -> None:
    def check(entry: dict[str, Any]) -> None:
        for text in (yaml.safe_dump({"experiments": [entry]}), json.dumps({"experiments": [entry]})):
            (found,) = Experiments.parse(text).experiments
            assert (found.name, found.coverage, found.layer) == (entry["name"], entry["coverage"], entry.get("layer"))
            assert [bucket.name for bucket in found.buckets] == [one["name"] for one in entry["buckets"]]
            assert [bucket.overrides.tier for bucket in found.buckets] == [one.get("tier") for one in entry["buckets"]]
            assert found.ranges[-1][0] <= found.ranges[-1][1] <= 1 + 1e-6

    bulk(20, 0.02, experiments(), check)


def test_an_experiment_with_any_field_is_read_or_refused(bulk: Bulk) -> None:
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=6)
        | st.dates()
        | st.binary(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=5,
    )
    fields = st.sampled_from(["name", "seed", "coverage", "layer", "range", "buckets", "unit", "more"])

    def check(found: tuple[dict[str, Any], str, Any]) -> None:
        entry, field, value = found
        text = yaml.safe_dump({"experiments": [entry | {field: value}]}, allow_unicode=True)
        _refused(lambda: Experiments.parse(text), ExperimentsError)

    bulk(20, 0.02, st.tuples(experiments(), fields, values), check)


def test_keys_of_any_kind_are_read_or_refused(bulk: Bulk) -> None:
    values = (
        st.none()
        | st.booleans()
        | st.integers(-1, 9)
        | st.floats()
        | st.sampled_from(["a", "0" * 64, "f" * 64])
        | names
    )
    fields = st.sampled_from(["name", "sha256", "rate", "burst", "per_day", "may_override", "more"])
    good = st.fixed_dictionaries({"name": names, "sha256": st.text("0123456789abcdef", min_size=64, max_size=64)})
    entries = st.tuples(good, st.dictionaries(fields, values, max_size=3)).map(lambda two: two[0] | two[1])

    def check(found: list[dict[str, Any]]) -> None:
        content = yaml.safe_dump(found).encode()
        try:
            keys = keys_file.parse(content)
        except KeysError as refused:
            check_sentence(refused.detail)
            return
        assert [key.name for key in keys.values()] == [entry["name"] for entry in found]

    bulk(20, 0.02, st.lists(entries, max_size=3), check)
    bulk(10, 0.01, st.binary(max_size=30), lambda some: _refused(partial(keys_file.parse, some), KeysError))


def test_a_manifest_comes_back_as_it_was(tmp_path: Path, bulk: Bulk) -> None:
    good = manifest(files())

    def check(changed: dict[str, Any]) -> None:
        (tmp_path / "manifest.json").write_bytes(encoded(good | changed))
        found = read_manifest(tmp_path)
        assert json.loads(found.model_dump_json(exclude_unset=True)) == good | changed

    numbers = st.integers(1, 1 << 20)
    shares = st.floats(0, 1e6)
    bulk(
        20,
        0.02,
        st.fixed_dictionaries(
            {},
            optional={
                "items": numbers,
                "parameters": numbers,
                "scoring": st.fixed_dictionaries({"leaf": shares, "prefix": shares}),
                "correction": st.fixed_dictionaries({"pool": numbers, "newest": numbers}),
                "metrics": st.dictionaries(names, st.floats(-1e9, 1e9), max_size=4),
            },
        ),
        check,
    )


def test_any_json_is_a_manifest_or_refused(tmp_path: Path, bulk: Bulk) -> None:
    good = manifest(files())
    fields = st.sampled_from(sorted(Manifest.model_fields))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields | st.text(max_size=6), inner, max_size=3),
        max_leaves=6,
    )

    def check(changed: dict[str, Any]) -> None:
        (tmp_path / "manifest.json").write_bytes(encoded(good | changed))
        _refused(lambda: read_manifest(tmp_path), BundleError)

    bulk(20, 0.02, st.dictionaries(fields, values, min_size=1, max_size=2), check)


lines = st.lists(
    st.lists(
        st.sampled_from(
            ["u1", "i1", "17", "1e3", "inf", "nan", "-1", "2024-01-01", "99999999999999999999", '"', "a > b", ""]
        )
        | st.text(max_size=8),
        min_size=1,
        max_size=5,
    ).map(",".join),
    max_size=6,
).map("\n".join)


def test_interactions_of_any_text_are_read_or_refused(tmp_path: Path, bulk: Bulk) -> None:
    def check(text: str) -> None:
        path = tmp_path / "some.csv"
        path.write_bytes(("user_id,item_id,timestamp\n" + text).encode("utf-8", "surrogatepass"))
        _refused(lambda: read_interactions(path, Columns()), DataError)

    bulk(30, 0.03, lines, check)


def test_interactions_of_any_bytes_are_read_or_refused(tmp_path: Path, bulk: Bulk) -> None:
    def check(content: bytes) -> None:
        for name, stored in (("a.csv", content), ("a.csv.gz", content), ("b.csv.gz", gzip.compress(content, 1))):
            (tmp_path / name).write_bytes(stored)
            _refused(partial(read_interactions, tmp_path / name, Columns()), DataError)

    bulk(10, 0.01, st.binary(max_size=40).map(lambda some: b"user_id,item_id,timestamp\n" + some), check)


def test_features_of_any_text_are_read_or_refused(tmp_path: Path, bulk: Bulk) -> None:
    records = st.dictionaries(
        st.sampled_from(["item_id", "asin", "title", "brand", "category", "categories"]),
        st.recursive(st.text(max_size=6) | st.integers() | st.none() | st.just("i1"), st.lists, max_leaves=4),
        max_size=5,
    )
    rows = st.lists(records.map(json.dumps) | records.map(repr) | st.text(max_size=20), max_size=4).map("\n".join)

    def check(found: tuple[str, str]) -> None:
        name, text = found
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        _refused(lambda: read_items(tmp_path / name, {"i1", "u1"}), DataError)

    several = st.tuples(st.sampled_from(["a.jsonl", "a.json"]), rows)
    bulk(30, 0.03, several | st.tuples(st.just("a.csv"), lines.map("item_id,title,category\n".__add__)), check)


def test_titles_of_any_lines_are_read_or_refused(bulk: Bulk) -> None:
    rows = {"i1": 1, "i2": 2}
    ids = st.sampled_from(["i1", "i2", "i3"]) | st.text(max_size=4)
    good = st.fixed_dictionaries({"item_id": ids, "title": st.text(max_size=6) | st.integers()}).map(encoded)

    def check(found: list[bytes]) -> None:
        _refused(lambda: read_titles(found, rows), ValueError)

    bulk(20, 0.02, st.lists(good | st.binary(max_size=12), max_size=4), check)


def _refused(read: Callable[[], object], error: type[Exception]) -> None:
    """Nothing else is raised, and what is raised is a sentence."""
    try:
        read()
    except error as refused:
        check_sentence(str(refused))
