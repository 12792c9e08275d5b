"""An exposure is written when the hash's bucket acted, once per user, experiment, bucket and day."""

import asyncio
import json
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.assignment import Assigned
from service.experiments.events import Event, MemoryLog
from service.experiments.exposures import DAY_S, Exposures
from service.experiments.seen import Seen

DEEP = Assigned("budget", "deep", "hash")


class Clock:
    """A day that the test turns."""

    def __init__(self) -> None:
        self.now = 10.0 * DAY_S

    def __call__(self) -> float:
        return self.now


def events(log: MemoryLog) -> list[Event]:
    return asyncio.run(log.read())[0]


def test_the_fields_are_those_that_the_report_reads() -> None:
    log, clock = MemoryLog(), Clock()
    assert Exposures(log, clock=clock).record(DEEP, "u", "req-1", "k50", True, forced_same=True)
    assert events(log) == [
        {
            "type": "exposure",
            "time": clock.now,
            "request_id": "req-1",
            "unit": "u",
            "experiment": "budget",
            "bucket": "deep",
            "tier": "k50",
            "degraded": True,
            "forced_same": True,
        }
    ]


@pytest.mark.parametrize(
    ("assigned", "unit"),
    [
        (Assigned("budget", "deep", "header"), "u"),
        (Assigned("budget", "default", "default"), "u"),
        (Assigned("none", "default", "default"), None),
        (DEEP, None),
    ],
)
def test_only_the_hash_exposes_and_only_somebody(assigned: Assigned, unit: str | None) -> None:
    log = MemoryLog()
    assert not Exposures(log).record(assigned, unit, "req-1", "k50", False)
    assert events(log) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 2))))
def test_once_per_user_experiment_bucket_and_day(calls: list[tuple[str, str, str, int]]) -> None:
    log, clock, seen = MemoryLog(), Clock(), set()
    exposures = Exposures(log, clock=clock)
    for unit, experiment, bucket, day in sorted(calls, key=lambda call: call[3]):
        clock.now = day * DAY_S + 3600.0
        new = exposures.record(Assigned(experiment, bucket, "hash"), unit, "r", "k50", False)
        assert new == ((unit, experiment, bucket, day) not in seen)
        seen.add((unit, experiment, bucket, day))
    assert len(events(log)) == len(seen)


@settings(deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(0, 9)))
def test_memory_is_bounded_and_the_latest_are_known(limit: int, keys: list[int]) -> None:
    seen, latest = Seen(limit), OrderedDict[int, None]()
    for key in keys:
        assert seen.is_new(key) == (key not in latest)
        latest[key] = None
        latest.move_to_end(key)
        if len(latest) > limit:
            latest.popitem(last=False)
        assert len(seen) == len(latest) <= limit


def test_a_thousand_users_more_cost_no_memory() -> None:
    log = MemoryLog(limit=10)
    exposures = Exposures(log, limit=100)
    assert all(exposures.record(DEEP, f"u{number}", "r", "k50", False) for number in range(1100))
    assert len(exposures._seen) == 100
    assert "u1099" in json.dumps(events(log))
