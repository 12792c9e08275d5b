"""The event log as a file of JSON lines, written by a thread. It is never rotated or cut here."""

import asyncio
import os
import stat
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from service.errors import SettingsError, StoreUnavailableError
from service.experiments.events import LIMIT, START, Cursor, Event, is_of, unpack
from service.experiments.outbox import RETRY_S, Outbox

BATCH = 500
CHUNK = 1 << 20  # bytes that one call reads; no event is as long


class JsonlLog:
    """Appends events to `path`, whole lines only; they outlive the process, and reach the disk as the system writes it.

    A disk that is full for a while costs what no longer fits into `limit` events. One process writes to one file.

    Raises:
        SettingsError: the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        limit: int = LIMIT,
        on_error: Callable[[str], None] = lambda _: None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._file = _open(path)
        self._torn = _ends_torn(self._file)
        self._outbox = Outbox(self._send, limit, BATCH, on_error, retry_s)

    @property
    def dropped(self) -> int:
        """Events lost so far."""
        return self._outbox.dropped

    def write(self, event: Mapping[str, object]) -> None:
        self._outbox.put(event)

    def start(self) -> None:
        self._outbox.start()

    async def close(self) -> None:
        if await self._outbox.close():  # else a thread still hangs in the file: closing would hand its number on
            os.close(self._file)

    async def read(self, cursor: Cursor = START) -> tuple[list[Event], Cursor]:
        """The cursor is a byte offset; beyond the end of the file, because someone cut it, reading begins anew."""
        events, offset = await asyncio.to_thread(read_lines, self._file, int(cursor or 0))
        return events, str(offset)

    async def erase(self, units: Collection[str]) -> None:
        """Spaces take the place of their lines, so that offsets stay. What was rotated away is not looked at.

        Raises:
            StoreUnavailableError: the file cannot be changed now.
        """
        await self._outbox.drop(lambda line: is_of(line, units))
        try:
            await asyncio.to_thread(blank, self._file, lambda line: is_of(line, units))
        except OSError as error:
            raise StoreUnavailableError(f"The event log cannot be changed: {error.strerror}.", 1) from error

    async def _send(self, lines: Sequence[bytes]) -> int:
        return await asyncio.to_thread(self._append, lines)

    def _append(self, lines: Sequence[bytes]) -> int:
        """How many lines were written; what was written of a next one is cut off from its second try by a line feed."""
        data = b"".join(lines)
        written = os.write(self._file, b"\n" + data) - 1 if self._torn else os.write(self._file, data)
        ends = list(accumulate(map(len, lines), initial=0))
        whole = bisect_right(ends, written) - 1
        self._torn = written != ends[whole]
        return max(whole, 0)


def read_lines(file: int, offset: int) -> tuple[list[Event], int]:
    """Events of an open file from a byte offset on, up to `CHUNK` bytes of them, and the offset behind them.

    A line that is not finished yet is left for later; one that holds no event is passed over. No events: none are left.
    """
    if offset > os.fstat(file).st_size:
        offset = 0
    while chunk := os.pread(file, CHUNK, offset):
        whole = chunk.rfind(b"\n") + 1
        if not whole and len(chunk) == CHUNK:
            whole = CHUNK  # nothing of ours is as long
        offset += whole
        events = [event for line in chunk[:whole].split(b"\n") if (event := unpack(line)) is not None]
        if events or not whole:
            return events, offset
    return [], offset


def blank(file: int, unwanted: Callable[[bytes], bool]) -> None:
    """Write spaces over every unwanted line of an open file, an unfinished one too.

    Raises:
        OSError: the file cannot be written.
    """
    # A handle of its own: what is opened for appending is appended to, whatever the offset.
    with open(f"/proc/self/fd/{file}", "rb+", buffering=0) as place, open(f"/proc/self/fd/{file}", "rb") as lines:
        offset = 0
        for line in lines:
            if unwanted(line):
                place.seek(offset)
                place.write(b" " * len(line.rstrip(b"\n")))
            offset += len(line)
        os.fsync(place.fileno())


def _open(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SettingsError(f"The event log {path} cannot be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise SettingsError(f"The event log {path} is not a regular file.")
    return file


def _ends_torn(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
