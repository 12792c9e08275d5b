"""The service's log while it is written: what it says of errors is kept, the rest thrown away."""

import json
import os
from collections import Counter
from pathlib import Path

ERROR, TRACE = b'"level":"error"', b"Traceback"
EXPECTED = frozenset({"bad-experiments", "event-log"})  # a broken file, a Redis that was killed
LONGEST = 64 << 20  # the file is cut to nothing beyond that


class LogReader:
    """Reads on in `path` at every call. `errors`: lines that should not be there, by event; `told`: the others' events.

    The service appends, so cutting the file from outside is safe: what it writes next is at the start again.
    """

    def __init__(self, path: Path) -> None:
        self.errors, self.told = Counter[str](), Counter[str]()
        self.examples: dict[str, str] = {}
        self._path, self._at, self._last = path, 0, list[bytes]()

    def read(self) -> None:
        """Look through what is new, whole lines only."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        lines = new[:whole].split(b"\n")
        self._last = lines[-4:] if whole else self._last
        for line in lines:
            if ERROR in line or TRACE in line:
                self._note(line)
        self._at += whole
        if self._at > LONGEST:
            os.truncate(self._path, 0)
            self._at = 0

    def last(self) -> str:
        """What it said last."""
        self.read()
        return b" ".join(self._last).decode(errors="replace")

    def _note(self, line: bytes) -> None:
        try:
            event = str(json.loads(line)["event"])
        except (ValueError, KeyError, TypeError):
            event = "no JSON"
        book = self.told if event in EXPECTED else self.errors
        book[event] += 1
        self.examples.setdefault(event, line.decode(errors="replace")[:2000])
