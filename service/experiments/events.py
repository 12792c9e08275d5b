"""Events on their way out of the process: what every log of exposures and feedback can do, and the one in memory."""

import json
from collections import deque
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, Protocol

Event = dict[str, Any]
Cursor = str  # where a reader stopped; each log has its own form

START: Cursor = ""
LIMIT = 10_000  # events that wait in memory
UNIT = b'"unit":"'
GONE = b"\n"  # in the place of an event that was erased: readers pass over it
READ = 500  # events one call reads


class EventLog(Protocol):
    """Takes events without making anyone wait, and hands them to readers in the order written.

    `dropped` counts events that were lost: no room left to wait in, or not JSON.
    """

    @property
    def dropped(self) -> int: ...

    def write(self, event: Mapping[str, object]) -> None:
        """Take one event, on the event loop's thread. Never blocks, never raises."""
        ...

    def start(self) -> None:
        """Begin to send, on the running event loop."""
        ...

    async def close(self) -> None:
        """Send what waits, within a few seconds, and end."""
        ...

    async def read(self, cursor: Cursor = START) -> tuple[list[Event], Cursor]:
        """The next events after `cursor`, a bounded number, and where they end; no events: there are none yet.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        ...

    async def erase(self, units: Collection[str]) -> None:
        """Take out every event of these units, those too that wait to be written. Cursors stay good.

        Raises:
            StoreUnavailableError: some may be left; erasing once more is safe.
        """
        ...


def is_of(line: bytes, units: Collection[str]) -> bool:
    """Whether the line is an event of one of the units, or what a full disk left of one."""
    if any(unit.encode() in line for unit in units):
        event = unpack(line)
        return event is None or event.get("unit") in units
    _, named, cut = line.rstrip(b"\n").rpartition(UNIT)
    return bool(named and cut) and any(unit.encode().startswith(cut) for unit in units)


def pack(event: Mapping[str, object]) -> bytes | None:
    """The event as one JSON line with its line feed; None where JSON cannot say it."""
    try:
        return json.dumps(event, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        return None


def unpack(line: bytes) -> Event | None:
    """The event of a line; None for a line that was cut or that holds something else."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


class MemoryLog:
    """The latest `limit` events, gone with the process. An event that leaves before anyone read it is `dropped`."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._lines: deque[bytes] = deque()
        self._limit = limit
        self._first = 0  # the number of the oldest line kept
        self._read = 0  # the number of the oldest line nobody read

    def write(self, event: Mapping[str, object]) -> None:
        line = pack(event)
        if line is None:
            self.dropped += 1
            return
        self._lines.append(line)
        if len(self._lines) > self._limit:
            self._lines.popleft()
            self.dropped += self._first >= self._read
            self._first += 1

    def start(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Nothing to end."""

    async def read(self, cursor: Cursor = START) -> tuple[list[Event], Cursor]:
        """The next events; those that are gone are passed over."""
        begin = max(int(cursor or 0), self._first)
        lines = list(islice(self._lines, begin - self._first, begin - self._first + READ))
        self._read = max(self._read, begin + len(lines))
        return [event for line in lines if (event := unpack(line)) is not None], str(begin + len(lines))

    async def erase(self, units: Collection[str]) -> None:
        """Their places stay, so that numbers do."""
        self._lines = deque(GONE if is_of(line, units) else line for line in self._lines)
