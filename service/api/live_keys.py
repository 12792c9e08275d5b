"""The keys file while the service runs: read now and then, a bad one never replaces a good one."""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from service import config_file
from service.api.callers import Caller, Key
from service.api.keys_file import digest, parse
from service.errors import KeysError

LONGEST = 256  # bytes of what a caller sent that are looked at: no key is as long


class LiveKeys:
    """The callers that the file lists. `last_error` says why the file as it stands is not in use, or None.

    `clock` is monotonic, `date` since the epoch, both in seconds.

    Raises:
        KeysError: at construction, for a file that cannot be used.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.monotonic, date: Callable[[], float] = time.time
    ) -> None:
        self.last_error: str | None = None
        self._path, self._clock, self._date = path, clock, date
        self._callers: Mapping[bytes, Caller] = {}
        try:
            self._content = config_file.read(path)
            self._take(parse(self._content))
        except (OSError, KeysError) as error:
            raise KeysError(self._told(error)) from None

    @property
    def keys(self) -> list[Key]:
        """Those in force, in the file's order."""
        return [caller.key for caller in self._callers.values()]

    def find(self, given: bytes) -> Caller | None:
        """Whose key this is. What is looked up is a digest, so the time it takes says nothing about other keys."""
        wanted = digest(given[:LONGEST])
        caller = self._callers.get(wanted)
        return caller if caller is not None and hmac.compare_digest(caller.key.digest, wanted) else None

    async def watch(self, every_s: float, on_change: Callable[[], None], on_error: Callable[[str], None]) -> None:
        """Until cancelled: take changes over within `every_s` or so; tell each error once.

        A change counts once two looks in a row, half of `every_s` apart, read the same: a file that is still being
        written may read like a shorter one.
        """
        seen = self._content
        while True:
            await asyncio.sleep(max(every_s / 2, 0.01))
            try:
                content = await asyncio.to_thread(config_file.read, self._path)
                if content == seen != self._content:
                    self._take(await asyncio.to_thread(parse, content))  # a thousand keys take half a second
                    self._content = content
                    on_change()
                if content == self._content:
                    self.last_error = None
                seen = content
            except (OSError, KeysError) as error:
                told, self.last_error = self.last_error, self._told(error)
                if self.last_error != told:
                    on_error(self.last_error)

    def _take(self, keys: Mapping[bytes, Key]) -> None:
        """A key that stays as it is keeps what it has used."""
        before = self._callers
        self._callers = {
            named: old
            if (old := before.get(named)) is not None and old.key == key
            else Caller(key, self._clock, self._date)
            for named, key in keys.items()
        }

    def _told(self, error: OSError | KeysError) -> str:
        if isinstance(error, KeysError):
            return f"{self._path}: {error.detail}"
        return f"{self._path}: It cannot be read: {error.strerror or error}."
