"""People with stored histories: what was accepted must be known, what was refused is sent again."""

import json
from itertools import count
from typing import Any

import numpy as np
import pytest

from loadtest.bench.soak.calls import ANSWERED, FAILED, REFUSED, Call, Tally
from loadtest.bench.soak.people import People
from loadtest.client import Reply

NUMBERS = count()
REFUSAL = Reply(
    503,
    {"content-type": "application/problem+json", "retry-after": "1"},
    b'{"type": "/problems/store-unavailable", "status": 503}',
)


def stranger() -> tuple[str, ...]:
    return tuple(f"i{next(NUMBERS)}" for _ in range(6))


@pytest.fixture
def people() -> People:
    return People(stranger, np.random.default_rng(0), "p")


def sent(call: Call) -> Any:
    return json.loads(call.payload.partition(b"\r\n\r\n")[2])


def accepted(call: Call, lost: int = 0) -> str:
    events = len(sent(call)["events"])
    return Tally().book(call, Reply(200, {}, json.dumps({"accepted": events - lost, "duplicates": 0}).encode()), 0.0)


def known(call: Call, used: int, stored: bool = True, degraded: bool = False) -> str:
    history = {"used": used, "unknown": 0, "truncated": 0, "stored": stored}
    answer = {"items": [{"item_id": "x"}], "history": history, "degraded": degraded}
    return Tally().book(call, Reply(200, {}, json.dumps(answer).encode()), 0.0)


def test_every_event_that_was_accepted_must_be_known(people: People) -> None:
    first = people.append()
    events = len(sent(first)["events"])
    assert accepted(first) == ANSWERED
    assert known(people.stored(), events) == ANSWERED
    assert known(people.stored(), events - 1) == FAILED
    assert known(people.stored(), events + 1) == FAILED
    unread = known(people.stored(), 0, stored=False, degraded=True)
    assert unread == ANSWERED  # and it says so
    assert known(people.stored(), 0, stored=False) == FAILED
    assert len(people) == 1


def test_an_event_that_was_not_counted_is_a_fault(people: People) -> None:
    assert accepted(people.append(), lost=1) == FAILED


def test_a_refused_append_is_sent_again_as_it_was(people: People) -> None:
    first = people.append()
    assert Tally().book(first, REFUSAL, 0.0) == REFUSED
    assert len(people) == 0
    again = people.append()
    assert sent(again) == sent(first)
    accepted(again)
    assert known(people.stored(), len(sent(first)["events"])) == ANSWERED


def test_who_has_a_call_under_way_gets_no_other(people: People) -> None:
    accepted(people.append())
    people.stored()
    assert len(people) == 0
    assert people.stored().kind == "append"  # of somebody new


def test_a_refused_deletion_is_sent_again(people: People) -> None:
    accepted(people.append())
    first = people.forget()
    assert Tally().book(first, REFUSAL, 0.0) == REFUSED
    again = people.forget()
    assert again.payload == first.payload
    assert Tally().book(again, Reply(204, {}, b""), 0.0) == ANSWERED
    assert (people.gone, len(people)) == (1, 0)


def test_everyone_is_asked_once(people: People) -> None:
    for _ in range(5):
        accepted(people.append())
    calls = list(people.everyone())
    assert len({call.payload for call in calls}) == len(calls) > 0
