"""Forgetting a unit: gone from every log, waiting lines included; the others' events, cursors and sums stay."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from event_world import GENEROUS_S, NOWHERE, eventually, everything, run, run_at
from redis_server import RedisServer

from service.cache.redis import connect
from service.cache.remote import Remote
from service.errors import StoreUnavailableError
from service.experiments.analysis import Tally
from service.experiments.assignment import Assigned
from service.experiments.erasure import Erasure
from service.experiments.events import EventLog, MemoryLog
from service.experiments.exposures import Exposures
from service.experiments.jsonl import JsonlLog
from service.experiments.stream import STREAM, RedisLog

GONE, OTHER = "a" * 32, "b" * 32


def event(unit: str | None, number: int) -> dict[str, Any]:
    return {"type": "exposure", "unit": unit, "number": number, "time": 1.7e9, "experiment": "e", "bucket": "b"}


def mixed(count: int) -> list[dict[str, Any]]:
    """Events of both units, of nobody, and of one whose fields merely mention the unit."""
    return [event((GONE, OTHER, None)[n % 3], n) | ({"item_id": GONE} if n % 3 == 1 else {}) for n in range(count)]


@asynccontextmanager
async def opened(kind: str, tmp_path: Path, redis: RedisServer) -> AsyncIterator[EventLog]:
    if kind == "memory":
        yield MemoryLog()
    elif kind == "file":
        yield JsonlLog(tmp_path / "events.jsonl")
    else:
        remote = connect(redis.url, GENEROUS_S)
        yield RedisLog(remote)
        await remote.close()


@pytest.mark.parametrize("kind", ["memory", "file", "stream"])
def test_a_unit_is_gone_and_the_rest_stays(kind: str, tmp_path: Path, redis: RedisServer) -> None:
    async def story() -> None:
        async with opened(kind, tmp_path, redis) as log:
            log.start()
            for one in mixed(1200):
                log.write(one)
            before = await eventually(log, 1200)
            _, cursor = await log.read()
            await log.erase({GONE, "c" * 32})
            after = await everything(log)
            assert after == [one for one in before if one["unit"] != GONE]
            assert [one["number"] for one in after] == [n for n in range(1200) if n % 3]
            rest = await everything(log, cursor)
            assert after[len(after) - len(rest) :] == rest, "cursors stay good"
            log.write(event(OTHER, 1200))
            await log.close()

    run(story())
    if kind == "file":
        text = (tmp_path / "events.jsonl").read_text()
        assert text.endswith("\n")
        numbers = [json.loads(line)["number"] for line in text.splitlines() if line.strip()]
        assert numbers == [n for n in range(1200) if n % 3] + [1200]
        assert f'"unit":"{GONE}"' not in text
    if kind == "stream":
        assert redis.command("XLEN", STREAM) == 801


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_lines_that_wait_are_forgotten_too(kind: str, tmp_path: Path, redis: RedisServer) -> None:
    async def story() -> None:
        async with opened(kind, tmp_path, redis) as log:
            for one in mixed(9):
                log.write(one)
            await log.erase({GONE})
            log.start()
            found = await eventually(log, 6)
            await log.close()
        assert GONE not in [one["unit"] for one in found]

    run(story())


def test_redis_that_is_away_is_told() -> None:
    async def story(remote: Remote) -> None:
        log = RedisLog(remote)
        with pytest.raises(StoreUnavailableError):
            await log.erase({GONE})
        with pytest.raises(StoreUnavailableError):
            await Erasure(log, kept).erase(GONE)

    run_at(NOWHERE, story)


async def kept(_: Collection[str]) -> None:
    """Nothing else to forget."""


class SlowLog(MemoryLog):
    """Notes the passes; the first ones may fail."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.passes: list[set[str]] = []
        self._failures = failures

    async def erase(self, units: Collection[str]) -> None:
        self.passes.append(set(units))
        await asyncio.sleep(0.01)
        if len(self.passes) <= self._failures:
            raise StoreUnavailableError("Away.", 1)


def test_units_that_come_during_a_pass_share_the_next_one() -> None:
    async def story() -> None:
        log, forgotten = SlowLog(), list[set[str]]()

        async def forget(units: Collection[str]) -> None:
            forgotten.append(set(units))

        erasure = Erasure(log, forget)
        await asyncio.gather(*(erasure.erase(unit) for unit in ["first", *"abcabc"]))
        assert log.passes == forgotten == [{"first", "a", "b", "c"}] or log.passes == [{"first"}, {"a", "b", "c"}]
        await erasure.erase("a")
        assert log.passes[-1] == {"a"}

    run(story())


def test_a_pass_that_fails_fails_for_its_caller_and_is_made_again_for_the_others() -> None:
    async def story() -> None:
        log = SlowLog(failures=1)
        erasure = Erasure(log, kept)
        told = await asyncio.gather(*(erasure.erase(unit) for unit in "abc"), return_exceptions=True)
        assert [type(one) for one in told] == [StoreUnavailableError, type(None), type(None)]
        assert log.passes[-1] >= {"b", "c"}
        assert not erasure._waiting

    run(story())


def test_what_a_process_remembers_is_forgotten() -> None:
    log = MemoryLog()
    exposures, assigned = Exposures(log), Assigned("e", "b", "hash")
    for unit in (GONE, OTHER):
        assert exposures.record(assigned, unit, "r", "k10", False)
    exposures.forget({GONE})
    assert exposures.record(assigned, GONE, "r", "k10", False)
    assert not exposures.record(assigned, OTHER, "r", "k10", False)


def test_the_sums_are_those_of_the_other_units() -> None:
    both, alone = Tally(), Tally()
    for unit, tallies in ((GONE, [both]), (OTHER, [both, alone])):
        for tally in tallies:
            told = {"unit": unit, "time": 1.7e9, "tier": "k10"}
            tally.add(told | {"type": "exposure", "experiment": "e", "bucket": "b", "degraded": False})
            tally.add(told | {"type": "feedback", "assignments": [["e", "b", "hash"]], "event": "click"})
    assert both._ledgers["e"].cells() != alone._ledgers["e"].cells()
    both.forget({GONE, "c" * 32})
    assert both._ledgers["e"].cells() == alone._ledgers["e"].cells()
    assert GONE not in both._ledgers["e"].units


def test_what_a_full_disk_left_of_a_line_goes_too(tmp_path: Path) -> None:
    """A line torn at any place; what it had told of the unit is told no more, and other fragments stay as they were."""
    path = tmp_path / "events.jsonl"
    lines = {unit: json.dumps(event(unit, 7), separators=(",", ":")).encode() for unit in (GONE, OTHER)}
    torn = {unit: [line[:cut] for cut in range(1, len(line))] for unit, line in lines.items()}
    path.write_bytes(b"".join(one + b"\n" for unit in torn for one in torn[unit]))

    async def story() -> None:
        log = JsonlLog(path)
        log.start()
        await log.erase({GONE})
        await log.close()

    run(story())
    left = path.read_bytes()
    assert b'"unit":"a' not in left
    assert [one for one in torn[OTHER] if one not in left.split(b"\n")] == []
