"""What counts as trouble after an outage, and until when."""

import json
from typing import Any

import pytest

from loadtest.bench.outages.figures import figures
from loadtest.bench.outages.load import Load, Traffic
from loadtest.bench.outages.policy import TRIES
from loadtest.client import Reply
from loadtest.seconds import Shot

BEGIN_S, END_S, WHOLE_S, RATE = 2.0, 4.0, 8.0, 20
ANSWER: dict[str, Any] = {"items": [{"item_id": "a", "score": 1.0}], "degraded": False}


def made() -> Traffic:
    traffic = Traffic(Load(rate=RATE, users=1, readers=1, writers=1), [b""], [("a",)], ["a", "b"])
    traffic.known, traffic.stored = [ANSWER], [ANSWER]
    return traffic


def run(spoiled: dict[int, Shot] | None = None) -> list[Shot]:
    """A healthy run of 5 ms each, but for some shots."""
    every = [shot(number) for number in range(int(WHOLE_S * RATE))]
    return [(spoiled or {}).get(one.number, one) for one in every]


def shot(number: int, status: int = 200, tries: int = 1, took_s: float = 0.005, **changed: Any) -> Shot:
    at = number / RATE
    reply = Reply(status, {TRIES: str(tries)}, json.dumps(ANSWER | changed).encode())
    return Shot(number, at, at, at + took_s, reply)


def told(spoiled: dict[int, Shot] | None = None, lost: int = 0) -> Any:
    return figures(made(), run(spoiled), lost, BEGIN_S, END_S)


def test_a_healthy_run_has_no_trouble_and_a_quarter_of_events() -> None:
    found = told()
    assert (found.requests, found.events, found.accepted) == (120, 40, 40)
    assert (found.failed, found.again, found.degraded, found.wrong, found.lost, found.trouble_s) == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("late", "column"),
    [
        (shot(100, status=503), "failed"),
        (Shot(100, 5.0, 5.0, 5.5, None, "no reply within 0.5 s."), "failed"),
        (shot(100, tries=2), "again"),
        (shot(100, degraded=True, items=[]), "degraded"),
        (shot(100, items=[{"item_id": "b", "score": 0.5}]), "wrong"),
    ],
)
def test_each_kind_of_trouble_is_counted(late: Shot, column: str) -> None:
    found = told({100: late})
    assert getattr(found, column) == 1
    assert found.trouble_s == (0 if column == "wrong" else 1.0)


def test_a_slow_half_second_is_trouble_and_a_slow_request_is_none() -> None:
    assert told({100: shot(100, took_s=0.4)}).trouble_s == 0
    slow = {number: shot(number, took_s=0.4) for number in range(100, 110)}
    assert 0.9 <= told(slow).trouble_s <= 1.5


def test_trouble_before_the_end_is_the_outage_itself() -> None:
    assert told({50: shot(50, status=503)}).trouble_s == 0


def test_an_event_that_was_accepted_late_is_told_by_how_long_it_took() -> None:
    found = told({43: shot(43, tries=5, took_s=3.2)})
    assert (found.accepted, found.longest_event_s) == (40, 3.2)


def test_what_failed_is_told_by_its_kind() -> None:
    assert told({100: shot(100, status=500), 102: shot(102, status=500)}).errors == {"status 500": 2}
