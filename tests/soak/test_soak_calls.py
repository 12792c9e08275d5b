"""What counts as answered, refused and failed in a soak."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from loadtest.bench.soak.calls import ANSWERED, FAILED, REFUSED, Call, Tally, problem
from loadtest.client import Reply


def reply(status: int = 200, kind: str = "application/problem+json", **headers: str) -> Reply:
    body = {"type": "/problems/overloaded", "status": status}
    return Reply(status, {"content-type": kind} | headers, json.dumps(body).encode())


def refusal(again: str = "2") -> Reply:
    return reply(503, **{"retry-after": again})


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (reply(200), ANSWERED),
        (refusal(), REFUSED),
        (reply(503), FAILED),
        (refusal("soon"), FAILED),
        (reply(503, "text/plain", **{"retry-after": "1"}), FAILED),
        (reply(500), FAILED),
        (reply(400), FAILED),
        ("no reply within 30 s.", FAILED),
    ],
)
def test_what_became_of_a_call(said: Reply | str, outcome: str) -> None:
    tally, missed = Tally(), list[int]()
    call = Call("some", b"", missed=lambda: missed.append(1))
    assert tally.book(call, said, 0.001) == outcome
    assert tally.count(outcome) == tally.calls == 1
    assert len(missed) == (outcome != ANSWERED)
    assert bool(tally.faults) == (outcome == FAILED)


def test_a_mistake_must_be_told_as_one() -> None:
    call, tally = Call("wrong", b"", (422,)), Tally()
    assert tally.book(call, reply(422), 0.0) == ANSWERED
    assert tally.book(call, reply(200), 0.0) == FAILED
    assert tally.faults["wrong", "status 200 overloaded"] == 1


def test_a_body_that_is_wrong_fails() -> None:
    says: Callable[[Reply], str | None] = lambda _: "an item is repeated"  # noqa: E731 - its type stands beside it
    tally = Tally()
    assert tally.book(Call("some", b"", judge=says), reply(), 0.0) == FAILED
    assert tally.faults["some", "an item is repeated"] == 1


def test_what_failed_before_the_load_is_not_forgotten() -> None:
    before, tally = Tally(), Tally()
    before.book(Call("fill", b""), reply(500), 0.0)
    before.book(Call("fill", b""), reply(), 0.0)
    tally.blame(before)
    assert (tally.count(FAILED), tally.count(ANSWERED)) == (1, 0)
    assert tally.faults == before.faults


def test_late_is_counted_from_the_intended_start() -> None:
    tally = Tally()
    for latency_s in (0.4, 0.6):
        tally.book(Call("hurried", b"", deadline_s=0.5), reply(), latency_s)
    tally.book(Call("hurried", b"", deadline_s=0.5), refusal(), 9.0)
    assert (tally.late["hurried"], tally.count(ANSWERED)) == (1, 2)


def test_percentiles_are_those_of_the_answers_within_three_hundredths() -> None:
    tally, rng = Tally(), np.random.default_rng(0)
    seconds = rng.lognormal(-4, 1, 4000)
    for latency_s in seconds.tolist():
        tally.book(Call("some", b""), reply(), latency_s)
    for share in (0.5, 0.99):
        assert tally.percentile_ms(share) == pytest.approx(1000 * float(np.quantile(seconds, share)), rel=0.05)
    assert Tally().percentile_ms(0.5) is None


def test_the_inference_protocol_says_it_in_its_own_form() -> None:
    said = Reply(503, {"content-type": "application/json", "retry-after": "1"}, b'{"error": "Too many requests"}')
    assert Tally().book(Call("GET /v2", b""), said, 0.0) == REFUSED
    assert problem(Reply(503, {"content-type": "application/json"}, b"{}")) == ""


@pytest.mark.parametrize("body", [b"", b"[]", b'{"type": "x"}', b'{"type": "/problems/x", "status": 400}'])
def test_a_problem_document_that_is_none(body: bytes) -> None:
    assert problem(Reply(503, {"content-type": "application/problem+json"}, body)) == ""
