"""Event logs: whole lines, in order, nobody waits, what is lost is counted; read again from where one stopped."""

import asyncio
import math
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from event_world import eventually, everything, run
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import SettingsError
from service.experiments import jsonl
from service.experiments.events import READ, START, Event, EventLog, MemoryLog, pack, unpack
from service.experiments.jsonl import JsonlLog

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
events = st.lists(st.dictionaries(st.text(), plain, max_size=4), max_size=30)
UNWRITABLE: list[dict[str, Any]] = [{"a": math.nan}, {"a": object()}, {"a": {1, 2}}, {"a": b"x"}]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=9), plain, max_size=4))
def test_an_event_is_one_line(event: Event) -> None:
    line = pack(event)
    assert line is not None
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert unpack(line) == event
    assert all(unpack(line[:end]) is None for end in range(len(line) - 1)), "a torn line is never taken for an event"


@settings(deadline=None)
@given(st.binary(max_size=50))
def test_any_line_is_an_event_or_none(line: bytes) -> None:
    assert isinstance(unpack(line), dict | None)


@settings(max_examples=30, deadline=None)
@given(written=events, more=st.integers(0, 500))
def test_a_file_holds_what_was_written_across_restarts(
    tmp_path_factory: pytest.TempPathFactory, written: list[Event], more: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"

    async def scenario() -> None:
        for half in (written[: len(written) // 2], written[len(written) // 2 :]):
            log = JsonlLog(path)
            log.start()
            for event in half:
                log.write(event)
            await log.close()
            assert log.dropped == 0
        log = JsonlLog(path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jsonl, "CHUNK", max(len(pack(event) or b"") for event in [{}, *written]) + more)
            assert await everything(log) == written
        await log.close()

    run(scenario())
    assert path.read_bytes().count(b"\n") == len(written)


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = JsonlLog(tmp_path / "events.jsonl")
        log.start()
        reading = asyncio.create_task(eventually(log, 3000))
        for number in range(3000):
            log.write({"n": number})
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        assert await reading == [{"n": number} for number in range(3000)]
        await log.close()

    run(scenario())


def test_a_torn_end_is_left_for_later_and_then_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1,"to')

    async def scenario() -> None:
        log = JsonlLog(path)
        found, cursor = await log.read()
        assert (found, cursor) == ([{"n": 0}], "8")
        log.start()
        log.write({"n": 2})
        while not found[1:]:
            more, cursor = await log.read(cursor)
            found += more
        assert found[1:] == [{"n": 2}]
        await log.close()

    run(scenario())


def test_noise_in_the_file_hides_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "CHUNK", 64)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xff\x00\n[]\n\n" + b"x" * 500 + b'\n{"n":1}\r\n{"n":2}\n')

    async def scenario() -> None:
        log = JsonlLog(path)
        assert await everything(log) == [{"n": 1}, {"n": 2}]
        cursor = str(path.stat().st_size)
        assert await log.read(cursor) == ([], cursor)
        path.write_bytes(b'{"n":3}\n')  # somebody cut the file: reading begins anew
        assert await everything(log, cursor) == [{"n": 3}]
        await log.close()

    run(scenario())


@pytest.mark.parametrize("place", ["no/such/folder", ".", "fifo"])
def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SettingsError, match=r"The event log .*\."):
        JsonlLog(tmp_path / place)


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The system refuses to let any file of this process grow beyond `size`, like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_once_and_loses_nothing_that_fits(tmp_path: Path) -> None:
    path, told = tmp_path / "events.jsonl", list[str]()
    limit, pad = 1 << 20, "x" * 1000

    async def scenario() -> None:
        log = JsonlLog(path, limit=2000, on_error=told.append, retry_s=0.01)
        log.start()
        with files_end_at(limit):
            for number in range(1500):
                log.write({"n": number, "pad": pad})
            while not told:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # several tries, one message
            assert path.stat().st_size == limit, "the last line is torn"
            for number in range(1500, 10_000):
                log.write({"n": number, "pad": pad})
        found = await eventually(log, 1500)
        await log.close()
        again = JsonlLog(path)
        numbers = [event["n"] for event in await everything(again)]
        await again.close()
        assert [event["n"] for event in found[:1500]] == list(range(1500))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) + log.dropped == 10_000
        assert log.dropped > 6000

    run(scenario())
    assert len(told) == 1
    assert "File too large" in told[0]


@pytest.mark.parametrize("event", UNWRITABLE)
def test_what_json_cannot_say_is_dropped_and_counted(tmp_path: Path, event: Event) -> None:
    async def scenario(make: Callable[[], EventLog]) -> None:
        log = make()
        log.start()
        log.write(event)
        log.write({"n": 1})
        assert await eventually(log, 1) == [{"n": 1}]
        assert log.dropped == 1
        await log.close()

    run(scenario(lambda: JsonlLog(tmp_path / "events.jsonl")))
    run(scenario(MemoryLog))


@settings(deadline=None)
@given(events, st.integers(1, 20), st.lists(st.integers(0, 30), max_size=5))
def test_memory_keeps_the_latest_and_counts_what_nobody_read(
    written: list[Event], limit: int, stops: list[int]
) -> None:
    async def scenario() -> None:
        log, cursor, found, lost = MemoryLog(limit), START, list[Event](), 0
        for number, event in enumerate(written):
            log.write(event)
            if number in stops:
                more, cursor = await log.read(cursor)
                found += more
                lost = number + 1 - len(found)
                assert more == written[number + 1 - len(more) : number + 1]
                assert log.dropped == lost
        assert await everything(log) == written[-limit:]
        assert len(written) - len(found) >= log.dropped >= lost

    run(scenario())


def test_a_long_memory_is_read_in_parts() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        for number in range(2 * READ + 1):
            log.write({"n": number})
        assert len((await log.read())[0]) == READ
        assert len(await everything(log)) == 2 * READ + 1

    run(scenario())
