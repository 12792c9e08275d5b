"""The programs that flood: what they send is what is told, and their figures are those of the service."""

from collections.abc import Iterator

import pytest
import uvloop
from flooded import Flooded, flooded, recommend

from loadtest.bench.flood import crowd as flood_crowd
from loadtest.bench.flood import herd as flood_herd
from loadtest.bench.flood import lean as flood_lean
from loadtest.bench.flood import slow as flood_slow
from loadtest.seconds import GOOD, SHED

PLACES, SHORT_S = 4, 0.3


@pytest.fixture(scope="module")
def service() -> Iterator[Flooded]:
    with flooded(max_concurrent=PLACES, max_batch=1, read_timeout_s=0.4) as running:
        yield running


@pytest.fixture
def bodies() -> list[bytes]:
    return [recommend(user_id=f"u{number}") for number in range(50)]


def test_the_lean_driver_sends_all_and_reads_all(service: Flooded, bodies: list[bytes]) -> None:
    service.engine.seconds = 0.02
    before = service.count("promise_shed_total")
    fired = flood_lean.fire(service.port, bodies, [0.002 * n for n in range(200)], lanes=32, rest_s=10)
    service.engine.seconds = 0.0
    statuses = fired.status.tolist()
    assert set(statuses) == {GOOD, SHED}
    assert statuses.count(SHED) == service.count('promise_shed_total{reason="concurrency"}') - before
    assert (fired.unclear, fired.unsent) == (0, 0)
    assert (fired.latency_s > 0).all()
    assert (fired.sent >= fired.intended).all()


def test_every_attack_is_answered(service: Flooded, bodies: list[bytes]) -> None:
    asking = {"hot": flood_crowd.hot, "churn": flood_crowd.churn, "many": flood_crowd.many}
    told = {name: uvloop.run(attack(service.port, 10, SHORT_S, bodies[0])) for name, attack in asking.items()}
    for name, counts in told.items():
        assert counts["200"] > 0, name
        assert set(counts) <= {"200", "503", "opened", "opening ms"}, name
    assert uvloop.run(flood_crowd.large(service.port, 2, SHORT_S))["413"] > 0


def test_a_dripped_request_is_answered_with_408(service: Flooded) -> None:
    assert uvloop.run(flood_slow.heads(service.port, 3, 4.0))["408"] >= 3


def test_a_herd_is_answered_to_the_last(service: Flooded, bodies: list[bytes]) -> None:
    found = flood_herd.rush(service.port, bodies[:PLACES], 20).plain()
    assert (found["clients"], found["unanswered"]) == (PLACES, 0)
    assert found["half_s"] <= found["all_s"]
