"""Download of the public raw files: resumed where it broke off, checked, and put in place in one step.

A transfer writes `<file>.part` and, beside it, `<file>.part.tag` with the server's validator (ETag or
Last-Modified). A later call continues from there with `Range` and `If-Range`, so that the halves of a file that
changed in between are never joined. A complete file gets a `.sha256` beside it and is verified against that when
it is fetched again.
"""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.download import FetchError, Progress, TransferBrokenError, transfer
from models.sources import raw_files

__all__ = ["AMAZON_2014", "FetchError", "FetchReport", "Progress", "fetch", "progress_bar"]

AMAZON_2014 = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


@dataclass(frozen=True)
class FetchReport:
    """One file in place; `status` says whether bytes were moved and whether they continued a broken transfer."""

    path: Path
    url: str
    sha256: str
    bytes: int
    status: Literal["downloaded", "resumed", "verified"]


def fetch(
    name: str,
    folder: Path,
    base_url: str = AMAZON_2014,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
    attempts: int = 3,
    pause: Callable[[float], None] = time.sleep,
) -> list[FetchReport]:
    """Fetch reviews and metadata of an Amazon 2014 category (`beauty`, `sports`, or the collection's own name).

    `progress(file, bytes so far, bytes in all or None)` is told how far each file is (see `progress_bar`).
    `timeout` is in seconds without a byte. A connection that breaks is taken up again until `attempts` times in a
    row brought nothing new. Raises `FetchError`; what has arrived stays for the next call.
    """
    report = []
    for file in raw_files(name):
        url = f"{base_url.rstrip('/')}/{file}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            report.append(_fetch_file(url, folder / file, progress or _silent, timeout, attempts, pause))
        except OSError as error:
            raise FetchError(f"{folder / file}: cannot be written ({error.strerror or error})") from None
    return report


def _silent(file: str, done: int, total: int | None) -> None:
    """Progress for callers that do not want any."""


def _fetch_file(
    url: str, target: Path, progress: Progress, timeout: float, attempts: int, pause: Callable[[float], None]
) -> FetchReport:
    if target.is_file():
        return _verified(url, target)
    part = target.with_name(target.name + ".part")
    resumed = _persist(url, part, lambda done, total: progress(target.name, done, total), timeout, attempts, pause)
    if not _whole(part):
        part.unlink()
        raise FetchError(f"{url}: what the server sent is not a whole gzip file and was discarded")
    digest = _sha256(part)
    part.replace(target)
    part.with_name(part.name + ".tag").unlink(missing_ok=True)
    _record(target, digest)
    return FetchReport(target, url, digest, target.stat().st_size, "resumed" if resumed else "downloaded")


def _persist(
    url: str,
    part: Path,
    progress: Callable[[int, int | None], None],
    timeout: float,
    attempts: int,
    pause: Callable[[float], None],
) -> bool:
    """Transfer, again and again while it helps; returns whether an earlier part was continued."""
    best, failures, resumed = 0, 0, False
    while True:
        try:
            return transfer(url, part, progress, timeout) or resumed
        except TransferBrokenError as error:
            arrived = part.stat().st_size if part.exists() else 0
            failures = 1 if arrived > best else failures + 1
            resumed, best = resumed or error.resumed, max(best, arrived)
            if failures >= attempts:
                raise FetchError(f"{url}: {error}; {arrived} bytes are kept in {part} for the next try") from None
            pause(min(2.0**failures, 30.0))


def _verified(url: str, target: Path) -> FetchReport:
    """Check a file that is already there against its recorded checksum, or record one if it is whole."""
    digest = _sha256(target)
    note = _note(target)
    if note.is_file():
        if note.read_text(encoding="ascii", errors="replace").split(maxsplit=1)[:1] != [digest]:
            raise FetchError(f"{target}: does not match the checksum in {note.name}, delete both to fetch it again")
    elif not _whole(target):
        raise FetchError(f"{target}: not a whole gzip file, delete it to fetch it again")
    else:
        _record(target, digest)
    return FetchReport(target, url, digest, target.stat().st_size, "verified")


def _note(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _record(target: Path, digest: str) -> None:
    """In the form that `sha256sum --check` reads."""
    _note(target).write_text(f"{digest}  {target.name}\n", encoding="ascii")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _whole(path: Path) -> bool:
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return True


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar per file on the terminal, to be handed to `fetch` as `progress`."""
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn()) as bars:

        def advance(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)

        yield advance
