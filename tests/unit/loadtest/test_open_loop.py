"""The open-loop driver: it keeps its schedule whatever the server does, and charges a stall to those who waited."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_server import Said, serving

from loadtest import open_loop
from loadtest.client import request
from loadtest.open_loop import Step

SHIPPED = str(Path(__file__).resolve().parents[3] / "models" / "bundles" / "beauty")
GET = request("GET", "/")
STEPS = st.lists(st.tuples(st.floats(0.5, 300), st.floats(0.1, 5)), min_size=1, max_size=4)


@given(STEPS, st.booleans(), st.integers(0, 100))
def test_arrivals_ascend_within_their_steps(drawn: list[tuple[float, float]], poisson: bool, seed: int) -> None:
    schedule = [Step(rate, seconds) for rate, seconds in drawn]
    times = np.array(open_loop.arrivals(schedule, poisson, seed))
    edges = np.cumsum([0.0, *(step.seconds for step in schedule)])
    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times <= edges[-1] + 1 / 0.5)).all()
    assert times.tolist() == open_loop.arrivals(schedule, poisson, seed)
    if not poisson:
        assert len(times) == sum(round(step.rate * step.seconds) for step in schedule)


def test_a_poisson_process_has_the_scheduled_rates() -> None:
    times = np.array(open_loop.arrivals([Step(100, 50), Step(400, 50)], seed=1))
    assert (times < 50).sum() == pytest.approx(5000, rel=0.1)
    assert (times >= 50).sum() == pytest.approx(20_000, rel=0.05)
    gaps = np.diff(times[times < 50])
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)


@pytest.mark.parametrize("text", ["", "50", "50x", "x5", "-1x5", "5x0", "nanx1", "infx1", "5x1,", "5x1x1"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        open_loop.steps(text)


def test_a_schedule_is_read() -> None:
    assert open_loop.steps("50x10,2.5x0.5") == (Step(50, 10), Step(2.5, 0.5))


def test_a_stall_is_charged_to_every_request_that_it_delayed() -> None:
    """The server answers nothing for the first second; a closed loop would see one slow request only."""
    begun = list[float]()

    def stalled(*_: object) -> Said:
        begun.append(time.monotonic())
        return Said(delay_s=max(0.0, begun[0] + 1.0 - begun[-1]))

    with serving(stalled) as server:
        shots = open_loop.run(server.url, lambda _: GET, open_loop.arrivals([Step(50, 2)], poisson=False))
    slow = [shot for shot in shots if shot.latency_s > 0.1]
    assert len(shots) == 100
    assert {shot.status for shot in shots} == {200}
    assert len(slow) >= 40
    assert all(shot.sent >= shot.intended - 1e-6 for shot in shots)


def test_every_request_is_the_one_asked_for() -> None:
    with serving(lambda _, body: Said(body={"said": json.loads(body)["n"]})) as server:
        bodies = [request("POST", "/", json.dumps({"n": n}).encode()) for n in range(60)]
        shots = open_loop.run(server.url, bodies.__getitem__, [n / 300 for n in range(60)])
    assert [shot.answer["said"] for shot in shots] == list(range(60))


def test_arrivals_beyond_the_cap_are_skipped_and_counted() -> None:
    with serving(lambda *_: Said(delay_s=0.5)) as server:
        shots = open_loop.run(server.url, lambda _: GET, [n / 1000 for n in range(20)], in_flight=5)
        assert len(server.requests) == 5
    assert sum(shot.skipped for shot in shots) == 15
    assert not any(shot.failed for shot in shots)


def test_no_server_is_a_failed_request_not_an_exception() -> None:
    shots = open_loop.run("http://127.0.0.1:1", lambda _: GET, [0.0, 0.01])
    assert all(shot.failed and not shot.skipped and shot.status == 0 for shot in shots)


def fail() -> None:
    raise RuntimeError("beside")


def test_something_else_may_happen_beside_the_load() -> None:
    done: list[float] = []
    with serving(lambda *_: Said()) as server:
        begun = time.monotonic()
        times = [n / 100 for n in range(60)]
        open_loop.run(server.url, lambda _: GET, times, beside=[(0.3, lambda: done.append(time.monotonic() - begun))])
        with pytest.raises(RuntimeError, match="beside"):
            open_loop.run(server.url, lambda _: GET, times, beside=[(0.0, fail)])
    assert done[0] >= 0.3


def call(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = open_loop.main([*options, "--bundle", SHIPPED])
    return (code, *capsys.readouterr())


def test_the_program_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda *_: Said(body={"budget": {"tier": "k10", "reason": "load"}, "degraded": True})) as server:
        options = ("--url", server.url, "--steps", "50x1.5", "--arrivals", "constant", "--deadline-ms", "5000")
        code, out, _ = call(capsys, *options)
        assert code == 0
        assert out.splitlines()[-1].split()[0] == "all"
        code, out, err = call(capsys, *options, "--json")
    found = json.loads(out)
    assert code == 0
    assert "k10" in err
    assert [row["offered"] for row in found["seconds"]] == [50, 25]
    assert found["total"]["tiers"] == {"k10": 75}
    assert found["total"]["degraded"] == 75
    sent = json.loads(server.requests[-1])
    assert set(sent) == {"user_id", "history", "k", "budget"}


def test_a_failure_is_exit_code_1_and_a_refusal_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    for said, wanted in ((Said(503, headers={"Retry-After": "1"}), 0), (Said(503), 1), (Said(500), 1)):
        with serving(lambda *_, said=said: said) as server:
            assert call(capsys, "--url", server.url, "--steps", "50x0.2")[0] == wanted


def test_no_service_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "--url", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert open_loop.main(["--bundle", "/nowhere"]) == 2
    assert "no readable catalogue" in capsys.readouterr().err
