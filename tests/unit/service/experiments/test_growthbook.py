"""The assignment is GrowthBook's (hash version 2), and it is fair: checked against its package and by chi-square."""

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
from growthbook import Experiment as TheirExperiment
from growthbook import GrowthBook
from growthbook.core import gbhash, getBucketRanges
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from service.experiments.assignment import assign, gb_hash_v2
from service.experiments.config import Bucket, Experiment, Experiments, Overrides

SHAPES: dict[str, Callable[[int], str]] = {
    "number": str,
    "name": lambda number: f"user-{number}",
    "uuid": lambda number: str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)),
    "words": lambda number: f"Käthe 🦊 {number} \ud83d",
}
SPLIT = Experiment("split", "split-7", (Bucket("a", 0.2), Bucket("b", 0.3), Bucket("c", 0.5)), coverage=0.9)
LAYERED = Experiment("layered", "other", (Bucket("a", 0.5), Bucket("b", 0.5)), 1.0, "lay", (0.25, 0.75))
OURS = Experiments((SPLIT, LAYERED))


def _their(experiment: Experiment) -> TheirExperiment[str]:
    return TheirExperiment(
        key=experiment.name,
        seed=experiment.seed,
        hashVersion=2,
        variations=[bucket.name for bucket in experiment.buckets],
        weights=[bucket.weight for bucket in experiment.buckets],
        coverage=experiment.coverage,
        filters=[{"seed": experiment.layer_seed, "ranges": [experiment.layer_range], "hashVersion": 2}]
        if experiment.layer_seed
        else None,
    )


THEIRS = [_their(experiment) for experiment in OURS.experiments]


@settings(deadline=None)
@given(st.text(), st.text())
def test_the_hash_is_theirs(seed: str, value: str) -> None:
    assert gb_hash_v2(seed, value) == gbhash(seed, value, 2)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=8).filter(sum),
    st.floats(0, 1),
)
def test_the_layout_is_theirs(parts: list[int], coverage: float) -> None:
    weights = [part / sum(parts) for part in parts]
    buckets = tuple(Bucket(f"b{number}", weight, Overrides()) for number, weight in enumerate(weights))
    ours = Experiment("e", "e", buckets, coverage).ranges
    assert list(ours) == getBucketRanges(len(weights), coverage, weights)


@pytest.mark.parametrize("shape", SHAPES)
def test_whole_assignments_are_theirs(shape: str) -> None:
    """25,000 ids of each shape: 100,000 ids, two experiments each."""
    ids = [SHAPES[shape](number) for number in range(25_000)]
    book = GrowthBook()
    differing = [user for user in ids if _ours(user) != _theirs(book, user)]
    assert not differing[:3]
    assert {bucket for user in ids[:2000] for bucket in _ours(user)} == {"a", "b", "c", "default"}


def _ours(user: str) -> list[str]:
    return [one.bucket for one in assign(OURS, user, None).all]


def _theirs(book: GrowthBook, user: str) -> list[str]:
    book.set_attributes({"id": user})
    results = [book.run(experiment) for experiment in THEIRS]
    return [result.value if result.inExperiment else "default" for result in results]


@pytest.fixture(scope="module")
def places() -> dict[str, np.ndarray]:
    return {
        shape: np.array([gb_hash_v2("fair", make(number)) for number in range(200_000)])
        for shape, make in SHAPES.items()
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_places_are_even_over_200_000_ids(shape: str, places: dict[str, np.ndarray]) -> None:
    counts = np.bincount((places[shape] * 100).astype(int), minlength=100)
    assert len(counts) == 100
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_two_experiments_are_independent(shape: str, places: dict[str, np.ndarray]) -> None:
    other = np.array([gb_hash_v2("another", SHAPES[shape](number)) for number in range(100_000)])
    table = np.histogram2d(places[shape][:100_000] < 0.5, other < 0.5, bins=2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_same_seed_would_not_be_independent(places: dict[str, np.ndarray]) -> None:
    """Why a file with one seed twice is refused, and that the check above can fail."""
    half = places["name"] < 0.5
    table = np.histogram2d(half, half, bins=2)[0]
    assert stats.chi2_contingency(table).pvalue < 1e-12
