"""The verdict of a soak: noise, reloads and a warm-up are no leak, a leak of a few megabytes an hour is one."""

from collections import Counter

import numpy as np
import pytest
from made_samples import HOUR_S, WARM_S, found, sample, samples

from loadtest.bench.soak.calls import ANSWERED, REFUSED
from loadtest.bench.soak.plan import Found, Plan
from loadtest.bench.soak.program import judged
from loadtest.bench.soak.verdict import slope, trend, trends

PLAN = Plan(minutes=HOUR_S / 60, warm_minutes=WARM_S / 60)


def broken(run: Found) -> list[str]:
    return [gate["name"] for gate in judged(run, PLAN)["gates"] if not gate["kept"]]


@pytest.mark.parametrize("seed", range(10))
def test_a_service_that_behaves_is_kept(seed: int) -> None:
    result = judged(found(samples(seed)), PLAN)
    assert result["kept"], broken(found(samples(seed)))
    assert abs(result["trends"]["rss_mb"]["growth"]) < 0.005


@pytest.mark.parametrize("seed", range(10))
def test_a_planted_leak_is_seen(seed: int) -> None:
    assert broken(found(samples(seed, leak_mb_an_hour=12))) == ["growth of resident memory"]


def test_what_leaks_before_the_warm_up_is_over_does_not_count() -> None:
    early = [sample(at_s=at, rss_mb=min(300.0, 100 + at)) for at in np.arange(0, 4000, 5.0).tolist()]
    assert not broken(found(early))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"files": 2}, "open files won"),
        ({"sockets": 8}, "sockets won, callers apart"),
        ({"threads": 2}, "threads won"),
        ({"series": 200}, "growth of the lines of /metrics"),
    ],
)
def test_what_else_must_stay_flat(changed: dict[str, float], name: str) -> None:
    assert broken(found(samples(0, 0.0, **changed))) == [name]


def test_what_is_left_when_all_is_over() -> None:
    assert broken(found(after=sample(callers=41))) == ["connections kept, load over"]
    assert broken(found(after=sample(sockets=20))) == ["files and sockets won, load over"]


def test_calls_and_log() -> None:
    run = found()
    run.tally.outcomes["returning", ANSWERED] = 1000
    run.tally.outcomes["returning", REFUSED] = 50
    run.tally.late["returning"] = 9
    assert not broken(run)
    run.tally.late["returning"] = 11
    assert broken(run) == ["share of answers after their deadline"]
    run.tally.late.clear()
    run.tally.fault("reload", "status 500")
    run.tally.skipped = 1
    run.log = Counter({"unhandled": 1})
    assert broken(run) == ["failed calls", "skipped arrivals", "unexpected errors in the service's log"]


def test_a_trend_needs_samples_and_passes_over_those_without_a_value() -> None:
    with pytest.raises(ValueError, match="3 samples"):
        trend([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], 0.0)
    line = trend([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 2.0, None, 6.0, 8.0, 10.0], 0.0)
    assert (line.first, line.last, line.per_hour) == (1.0, 9.0, 7200.0)


def test_the_slope_is_not_moved_by_a_quarter_of_wild_samples() -> None:
    at = np.arange(2000.0)
    value = at * 0.5
    wild = np.random.default_rng(0).random(2000) < 0.25
    value[wild] = np.random.default_rng(1).uniform(0, 1e4, wild.sum())
    assert slope(at, value) == pytest.approx(0.5, rel=0.2)


def test_what_nobody_told_has_no_trend() -> None:
    silent = [sample(at_s=at, live_ms=None) for at in np.arange(0, 4000, 5.0).tolist()]
    assert "live_ms" not in trends(silent, WARM_S)
    assert trends(silent, WARM_S)["rss_mb"].growth == 0
