"""The experiments file while the service runs: looked at now and then, a bad one never replaces a good one."""

import asyncio
import errno
import stat
import time
from collections.abc import Callable
from pathlib import Path

from service import config_file
from service.errors import ExperimentsError
from service.experiments.config import Experiments

SETTLED_NS = 2_000_000_000  # a younger file may change once more without its time of change changing

Signature = tuple[int, int, int]  # mtime in ns, size, inode


class LiveExperiments:
    """`current` holds the last good experiments; `last_error` says why the file as it stands is not in use, or None.

    `check` sees experiments before they are taken over and refuses them with an ExperimentsError; without a `path`
    there are none, ever.

    Raises:
        ExperimentsError: at construction, for a file that cannot be used.
    """

    def __init__(self, path: Path | None, check: Callable[[Experiments], None] = lambda _: None) -> None:
        self.current = Experiments()
        self.last_error: str | None = None
        self._path = path
        self._check = check
        self._done: Signature | None = None
        if path is not None and not self.refresh() and self.last_error is not None:
            raise ExperimentsError(self.last_error)

    def refresh(self) -> bool:
        """Read the file if it changed since the last time; whether `current` is new. Blocks for the file, never raises.

        Anything wrong with the file keeps the old experiments, until it is written anew.
        """
        if self._path is None:
            return False
        try:
            seen = _signature(self._path)
            return seen != self._done and self._take(seen, config_file.read(self._path))
        except OSError as error:
            self._failed(f"It cannot be read: {error.strerror or error}.", None)
            return False

    async def watch(
        self, every_s: float, on_change: Callable[[Experiments], None], on_error: Callable[[str], None]
    ) -> None:
        """Until cancelled: take changes over within `every_s` or so, off the event loop; tell each error once.

        A change counts once two looks in a row, half of `every_s` apart, see the same file: one that is still being
        written may read like a shorter file without a mistake.
        """
        seen = None
        while self._path is not None:
            told = self.last_error
            now = await asyncio.to_thread(_glance, self._path)
            if now == seen and await asyncio.to_thread(self.refresh):
                on_change(self.current)
            if self.last_error is not None and self.last_error != told:
                on_error(self.last_error)
            seen = now
            await asyncio.sleep(max(every_s / 2, 0.01))

    def _take(self, seen: Signature, content: bytes) -> bool:
        done = seen if _is_settled(seen) else None
        try:
            found = Experiments.parse(_decoded(content))
            self._check(found)
        except ExperimentsError as error:
            self._failed(error.detail, done)
            return False
        self._done, self.last_error = done, None
        is_new = found.digest != self.current.digest
        if is_new:
            self.current = found
        return is_new

    def _failed(self, why: str, done: Signature | None) -> None:
        self._done, self.last_error = done, f"{self._path}: {why}"


def _signature(path: Path) -> Signature:
    """Links are followed: a mounted configuration changes by pointing a link elsewhere."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_mtime_ns, status.st_size, status.st_ino


def _glance(path: Path) -> Signature | None:
    try:
        return _signature(path)
    except OSError:
        return None


def _is_settled(seen: Signature) -> bool:
    return time.time_ns() - seen[0] > SETTLED_NS


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExperimentsError("The file is not UTF-8 text.") from None
