"""An event log of any bytes, as a file of JSON lines and as a stream in Redis: read to its end, added up, reported."""

import os
from collections.abc import Coroutine
from typing import Any

from pydantic_core import to_json
from taken import Taken

from service.experiments.analysis import Tally
from service.experiments.config import Bucket, Experiment
from service.experiments.events import Event, pack, unpack
from service.experiments.jsonl import read_lines
from service.experiments.report import gauges
from service.experiments.stream import RedisLog

EXPERIMENT = Experiment("width", "width", (Bucket("control", 0.5), Bucket("wide", 0.5)))


def one(data: bytes) -> None:
    """Try one input."""
    taken = Taken(data)
    cut, content = taken.below(1 << 16), taken.rest()
    events = _file(content, cut)
    lines = content.split(b"\n")
    assert events == [event for line in lines[:-1] if (event := unpack(line)) is not None]
    assert _stream(lines) == [event for line in lines if (event := unpack(line)) is not None]
    for event in events:
        packed = pack(event)  # None: JSON's NaN and infinities are read, and never written
        assert packed is None or unpack(packed) == event
        assert packed is None or packed.count(b"\n") == 1
    _report(events)


def _file(content: bytes, cut: int) -> list[Event]:
    """All events of a log that was half written when its reader came first, and is finished when it comes again."""
    file = os.memfd_create("events")
    try:
        os.write(file, content[:cut])
        found, at = _to_the_end(file, 0)
        os.write(file, content[cut:])
        more, at = _to_the_end(file, at)
        assert at == content.rfind(b"\n") + 1
        return found + more
    finally:
        os.close(file)


def _to_the_end(file: int, at: int) -> tuple[list[Event], int]:
    found: list[Event] = []
    while True:
        events, end = read_lines(file, at)
        assert end >= at
        if not events:
            return found, end
        found, at = found + events, end


def _report(events: list[Event]) -> None:
    """A report of what was read is JSON, counts what it counts, and its gauges are numbers with names in UTF-8."""
    tally = Tally(unit_limit=5)
    for event in events:
        tally.add(event)
    report = tally.report(EXPERIMENT)
    to_json(report.plain(), inf_nan_mode="constants").decode()
    assert all(0 <= arm.units <= len(events) for arm in report.arms)
    for _, labels, value in gauges(report):
        assert value == value, "a gauge that is not a number"
        assert all(label.encode() for label in labels.values())


class _Remote:
    """A stream whose entries hold these values."""

    def __init__(self, values: list[bytes]) -> None:
        self._entries = [(b"%d-0" % number, [b"event", value]) for number, value in enumerate(values, 1)]

    async def execute(self, *command: Any) -> Any:
        after = int(command[2].strip("(").partition("-")[0] or 0)
        return self._entries[after : after + int(command[-1])]


def _stream(lines: list[bytes]) -> list[Event]:
    found: list[Event] = []
    log, cursor = RedisLog(_Remote(lines)), ""  # type: ignore[arg-type]  # reading asks for nothing but `execute`
    while True:
        events, cursor = _done(log.read(cursor))
        if not events:
            return found
        found += events


def _done(coroutine: Coroutine[Any, Any, tuple[list[Event], str]]) -> tuple[list[Event], str]:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: tuple[list[Event], str] = stop.value
        return result
    raise AssertionError("reading waited for something")
