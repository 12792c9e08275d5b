"""Reports keep up with the event log: each event is read once, whoever asks and however often."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from service.api.reports import Reports
from service.errors import StoreUnavailableError
from service.experiments.config import Experiments
from service.experiments.events import START, Cursor, MemoryLog

CONFIG = Experiments.parse("experiments: [{name: e, buckets: [{name: a, weight: 0.5}, {name: b, weight: 0.5}]}]")
(EXPERIMENT,) = CONFIG.experiments
Published = list[tuple[str, list[tuple[str, dict[str, str], float]]]]


class CountingLog(MemoryLog):
    """A log that counts the events it handed out; `fails`: it does not answer."""

    handed = 0
    fails = False

    async def read(self, cursor: Cursor = START) -> tuple[list[dict[str, Any]], Cursor]:
        if self.fails:
            raise StoreUnavailableError("Redis does not answer.", 1)
        events, cursor = await super().read(cursor)
        self.handed += len(events)
        return events, cursor


def exposure(unit: int) -> Mapping[str, object]:
    return {
        "type": "exposure",
        "time": 1_000.0 + unit,
        "request_id": f"r{unit}",
        "unit": f"u{unit}",
        "experiment": "e",
        "bucket": "ab"[unit % 2],
        "tier": "k50",
        "degraded": False,
    }


def units(reports: Reports) -> int:
    return sum(arm.units for arm in asyncio.run(reports.report(EXPERIMENT)).arms)


def test_every_event_is_read_once() -> None:
    log, published = CountingLog(), Published()
    reports = Reports(log, lambda name, gauges: published.append((name, gauges)))
    assert units(reports) == 0
    for unit in range(1200):
        log.write(exposure(unit))
    assert [units(reports), units(reports), log.handed] == [1200, 1200, 1200]
    log.write(exposure(1200))
    assert [units(reports), log.handed] == [1201, 1201]
    assert {name for name, _ in published} == {"e"}
    assert published[-1][1][0][:2] == ("promise_experiment_srm_p", {"experiment": "e"})


def test_many_at_once_read_no_event_twice() -> None:
    async def crowd() -> list[int]:
        log = CountingLog()
        for unit in range(3000):
            log.write(exposure(unit))
        reports = Reports(log, lambda *_: None)
        found = await asyncio.gather(*(reports.report(EXPERIMENT) for _ in range(8)))
        return [log.handed, *(sum(arm.units for arm in report.arms) for report in found)]

    assert asyncio.run(crowd()) == [3000] * 9


def test_a_log_that_does_not_answer_is_no_report() -> None:
    log = CountingLog()
    log.fails = True
    with pytest.raises(StoreUnavailableError):
        units(Reports(log, lambda *_: None))


def test_gauges_are_published_without_anyone_asking() -> None:
    async def watched() -> int:
        log, published = CountingLog(), Published()
        log.write(exposure(1))
        log.fails = True
        reports = Reports(log, lambda name, gauges: published.append((name, gauges)))
        watching = asyncio.create_task(reports.watch(lambda: CONFIG, 0.005))
        await asyncio.sleep(0.03)
        assert not published
        log.fails = False
        while len(published) < 3:
            await asyncio.sleep(0.005)
        watching.cancel()
        return log.handed

    assert asyncio.run(watched()) == 1


class BusyLog(CountingLog):
    """A log that grows by an event with every look at it."""

    async def read(self, cursor: Cursor = START) -> tuple[list[dict[str, Any]], Cursor]:
        self.write(exposure(self.handed))
        return await super().read(cursor)


def test_a_log_that_grows_while_it_is_read_does_not_keep_the_report() -> None:
    log = BusyLog()
    reports = Reports(log, lambda *_: None)
    counted = [units(reports) for _ in range(3)]
    assert counted == sorted(set(counted))
    assert log.handed <= 12
