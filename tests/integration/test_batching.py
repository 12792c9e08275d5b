"""Requests answered in one batch get the lists that they get alone, whatever tiers and lengths meet in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from loadtest import workload
from loadtest.bench import answers, closed_loop
from loadtest.bench.batching import Side, equality, mean_batch, summary
from loadtest.bench.service import Service

if TYPE_CHECKING:
    from tiny import Bundles

TIERS = ("floor", "k10", "k20", "k50", "exact")
REQUESTS, CALLERS = 240, 24


@pytest.fixture(scope="module")
def sides(bundles: "Bundles", tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    log = tmp_path_factory.mktemp("batching") / "service.log"
    common: dict[str, Any] = {"bundle": bundles.inner, "cache_mb": 0}
    with Service(log, **common) as batched, Service(log, **common, max_batch=1) as alone:
        yield [Side("batching", batched), Side("one by one", alone)]


@pytest.fixture(scope="module")
def bodies(bundles: "Bundles") -> list[bytes]:
    histories = workload.histories(workload.read_items(bundles.inner), REQUESTS, seed=2)
    return [
        workload.recommend(history, k=1 + n % 20, budget=TIERS[n % len(TIERS)], exclude=history[:1] if n % 3 else [])
        for n, history in enumerate(histories)
    ]


def test_the_same_lists_in_batches_and_alone(sides: list[Side], bodies: list[bytes]) -> None:
    found = equality(sides, bodies, CALLERS)
    assert (found["lists_compared"], found["lists_different"]) == (REQUESTS, 0)
    sizes = [mean_batch(side.service) for side in sides]
    assert sizes[0] is not None
    assert sizes[0] > 1.5  # there were batches
    assert sizes[1] == 1.0


def test_a_batch_mixes_no_answers_up(sides: list[Side], bodies: list[bytes]) -> None:
    """Each caller's answer has its own k, tier and history."""
    for shot in closed_loop.answered(closed_loop.run(sides[0].service.url, bodies, CALLERS)):
        assert shot.tier == TIERS[shot.number % len(TIERS)]
        assert len(shot.answer["items"]) == 1 + shot.number % 20


def test_a_race_is_summed_up(sides: list[Side], bodies: list[bytes]) -> None:
    for side in sides:
        for _ in range(2):
            side.race(bodies[:48], CALLERS)
    found = summary(sides)
    assert found["ratio"]["min"] <= found["ratio"]["median"] <= found["ratio"]["max"]
    assert [len(rates) for rates in found["per_second_per_round"].values()] == [2, 2]
    assert all(spent["min"] > 0 for spent in found["cpu_ms"].values())


def test_answers_of_different_requests_differ(sides: list[Side], bodies: list[bytes]) -> None:
    """The comparison can fail."""
    first = sides[0].answers(bodies[:50])
    assert len(answers.different(first, first[5:] + first[:5])) > 25
