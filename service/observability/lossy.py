"""Where the log goes when nothing takes it: a line is lost, a request is not."""

from contextlib import suppress
from typing import TextIO


class Lossy:
    """A text stream that never fails: what a full disk or a closed pipe refuses is counted in `lost`."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it was closed
            self.lost += 1
            return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
