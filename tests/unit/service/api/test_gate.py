"""Overload is seen before a request is read, by how late the event loop is."""

import asyncio
import time
from dataclasses import replace

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_runtime

from service.api.gate import LONGEST_S, SHARE
from service.api.pulse import BEAT_S, Pulse


class Late(Pulse):
    """Behind by as much as the test says."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    @property
    def behind_s(self) -> float:
        return self.seconds


def client(behind_s: float) -> Client:
    made = Client(made_runtime())
    made.app.state.promise = state = replace(made.app.state.promise, pulse=Late(behind_s))
    for middleware in made.app.user_middleware:
        if "state" in middleware.kwargs:
            middleware.kwargs["state"] = state
    return made


def test_the_pulse_notices_a_loop_that_stood_still() -> None:
    async def run() -> tuple[float, float, float]:
        pulse = Pulse()
        beating = asyncio.ensure_future(pulse.beat())
        await asyncio.sleep(4 * BEAT_S)
        before = pulse.behind_s
        time.sleep(0.25)
        overdue = pulse.behind_s
        await asyncio.sleep(0)
        told = pulse.behind_s
        beating.cancel()
        return before, overdue, told

    before, overdue, told = asyncio.run(run())
    assert min(overdue, told) > 0.15
    assert before < overdue


def test_the_pulse_is_slow_while_nobody_asks() -> None:
    async def beats(asking: bool) -> int:
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            return time.perf_counter()

        pulse = Pulse(clock)
        beating = asyncio.ensure_future(pulse.beat())
        asked = 0
        for _ in range(40):
            await asyncio.sleep(0.01)
            if asking:
                asked += pulse.behind_s >= 0
        beating.cancel()
        return looks - asked

    assert asyncio.run(beats(asking=True)) > 2 * asyncio.run(beats(asking=False))


def test_before_the_first_beat_nothing_is_late() -> None:
    assert Pulse().behind_s == 0.0


def test_a_loop_in_time_lets_everyone_in() -> None:
    with client(0.0) as service:
        assert service.recommend(history=["B000000001"]).status_code == 200


@pytest.mark.parametrize("path", ["/recommend", "/recommend/batch"])
def test_a_loop_far_behind_refuses_what_it_has_not_read(path: str) -> None:
    with client(LONGEST_S + 0.01) as service:
        refused = service.call("POST", path, content=b"not even JSON")
        assert_problem(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert 'promise_shed_total{reason="loop"} 1.0' in service.figures()
        assert service.call("GET", "/health/ready").status_code == 200


def test_how_late_is_too_late_depends_on_the_deadline() -> None:
    with client(0.05) as service:
        patient = service.recommend({"X-Request-Timeout-Ms": "1000"}, history=["B000000001"])
        hurried = service.recommend({"X-Request-Timeout-Ms": f"{1000 * 0.04 / SHARE}"}, history=["B000000001"])
    assert (patient.status_code, hurried.status_code) == (200, 503)


def test_the_time_outside_counts_towards_the_deadline() -> None:
    with client(0.09) as service:
        answer = service.recommend({"X-Request-Timeout-Ms": "1500"}, history=["B000000001"], budget="k10").json()
        assert answer["degraded"] is False
        late = service.call("POST", "/recommend", json={"history": ["B000000001"], "budget": {"latency_ms": 170}})
        assert late.json()["degraded"] is True
