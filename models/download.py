"""One HTTP transfer into a part file, continued where an earlier one broke off."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from models.readers import DataError

_CHUNK = 1 << 18
_PASSING = frozenset({408, 429, 500, 502, 503, 504})

# (file name, bytes so far, bytes in all or None when the server does not say)
Progress = Callable[[str, int, int | None], None]


class FetchError(DataError):
    """A download that failed for good; the message is one sentence naming the address."""


class TransferBrokenError(Exception):
    """A transfer that broke off and may be taken up again; `resumed` if it had continued an earlier one."""

    def __init__(self, message: str, resumed: bool) -> None:
        super().__init__(message)
        self.resumed = resumed


def transfer(url: str, part: Path, progress: Callable[[int, int | None], None], timeout: float) -> bool:
    """Bring `part` to its full length; returns whether bytes from an earlier call were kept.

    Raises `TransferBrokenError` for what may pass (broken connection, overloaded server) and `FetchError` for the rest.
    """
    offset, tag = _kept(part)
    try:
        with _open(url, offset, tag, timeout) as response:
            _store(response, part, offset, progress)
            return response.status == 206
    except HTTPError as error:
        with error:
            if error.code == 416 and offset:
                return _beyond_the_end(error, url, part, progress, timeout)
            if error.code in _PASSING:
                raise TransferBrokenError(f"the server answered {error.code}", bool(offset)) from None
            hint = "there is no such file" if error.code == 404 else f"the server answered {error.reason!r}"
            raise FetchError(f"{url}: {hint} ({error.code})") from None
    except URLError as error:
        if isinstance(error.reason, socket.gaierror):
            raise FetchError(f"{url}: the host name cannot be resolved") from None
        raise TransferBrokenError(f"no connection ({error.reason})", bool(offset)) from None
    except (HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise TransferBrokenError(f"the connection broke ({error or type(error).__name__})", bool(offset)) from None


def _kept(part: Path) -> tuple[int, str]:
    """Bytes of an earlier transfer and the validator they came with; without a validator they cannot be trusted."""
    note = _tag_file(part)
    tag = note.read_text(encoding="latin-1") if note.is_file() else ""
    return (part.stat().st_size, tag) if tag and part.is_file() else (0, "")


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _open(url: str, offset: int, tag: str, timeout: float) -> HTTPResponse:
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"{url}: only http and https addresses can be fetched")
    headers = {"Accept-Encoding": "identity", "User-Agent": "promise-recommender"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": tag}
    response = urlopen(Request(url, headers=headers), timeout=timeout)  # noqa: S310 - http and https, checked above
    assert isinstance(response, HTTPResponse)
    return response


def _store(response: HTTPResponse, part: Path, offset: int, progress: Callable[[int, int | None], None]) -> None:
    """Append to the part (206) or begin it anew (200: first time, file changed, or server without ranges)."""
    if response.status == 206:
        start, total = _content_range(response.headers.get("Content-Range", ""))
        if start != offset:
            part.unlink()
            raise TransferBrokenError(f"the server continued at byte {start} instead of {offset}", True)
    else:
        offset, length = 0, response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        part.unlink(missing_ok=True)
        _tag_file(part).write_text(_validator(response), encoding="latin-1")
    with part.open("ab") as stream:
        done = _copy(response, stream, offset, total, progress)
    # A short body is not an error to http.client when it is read in pieces.
    if total is not None and done != total:
        raise TransferBrokenError(f"the connection broke after {done} of {total} bytes", response.status == 206)


def _copy(
    response: HTTPResponse, stream: BinaryIO, done: int, total: int | None, progress: Callable[[int, int | None], None]
) -> int:
    progress(done, total)
    while chunk := response.read1(_CHUNK):
        stream.write(chunk)
        done += len(chunk)
        progress(done, total)
    return done


def _validator(response: HTTPResponse) -> str:
    """A strong ETag, else the date; a weak ETag does not promise the same bytes."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and total length of `bytes 5-9/10`; None for what is absent."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return int(start) if start.isdigit() else None, int(total) if total.isdigit() else None


def _beyond_the_end(
    error: HTTPError, url: str, part: Path, progress: Callable[[int, int | None], None], timeout: float
) -> bool:
    """416: nothing is left to send. The part is complete if the lengths agree, else it is from another file."""
    total = _content_range(error.headers.get("Content-Range", ""))[1]
    size = part.stat().st_size
    if total == size:
        progress(size, total)
        return True
    part.unlink()
    return transfer(url, part, progress, timeout)
