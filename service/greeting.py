"""What whoever starts the service by hand is told on standard error; the log on standard output stays as it is."""

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from service.settings import Settings

ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - to be recognised, not bound


def by_hand() -> bool:
    """Whether the log ends on somebody's screen."""
    return sys.stdout.isatty()


class Greeting:
    """Lines for a person: what is loading, where the page is, how to stop."""

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        self._settings, self._start = settings, time.monotonic()
        shown = by_hand() or sys.stderr.isatty() or settings.log_format == "console"
        self._stream = stream or (sys.stderr if shown else None)

    def loading(self) -> None:
        folders = ", ".join(str(folder) for folder in self._settings.bundle)
        self._say(f"Loading {folders} and timing every tier; some seconds.")

    def ready(self, port: int, models: Sequence[str], device: str) -> None:
        """`port`: the one that was taken, where the settings left it open."""
        url, seconds = address(self._settings.host, port), time.monotonic() - self._start
        page = url if self._settings.playground else f"{url}docs"
        self._say(f"Ready after {seconds:.1f} s: {', '.join(models)} on {device}. Open {page} – Ctrl-C stops it.")

    def stopping(self) -> None:
        self._say(f"Stopping: requests in flight may take {self._settings.grace_s:g} s more.")

    def _say(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(f"{line}\n")
            self._stream.flush()


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the service."""
    name = "localhost" if host in ANYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"
