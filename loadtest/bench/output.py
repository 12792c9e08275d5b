"""How the benchmarks of the service say what they found: a header, tables, or one JSON object."""

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


class Output:
    """Tables go to standard output, or to standard error where that holds the JSON object alone."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._out = sys.stderr if as_json else sys.stdout

    def say(self, line: str = "") -> None:
        print(line, file=self._out, flush=True)

    def header(self, title: str, machine: Mapping[str, Any]) -> None:
        versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        self.say(title)
        self.say(f"{machine['cpu']}, {machine['threads']} thread in a graph call; {machine['cores']}")
        self.say(f"Python {machine['python']}, {versions}; load average before: {machine['load_average_1m']}")

    def table(self, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Columns as wide as their longest cell: the first one to the left, the others to the right."""
        cells = [[_cell(value) for value in row] for row in [names, *rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            first, *others = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            self.say("  ".join([f"{first.strip():<{widths[0]}}", *others]))

    def end(self, result: Mapping[str, Any]) -> None:
        if self._as_json:
            print(json.dumps(result))


@contextmanager
def progress(what: str, whole: float) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, told how much of `whole` is done; nothing at all where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=whole)
        yield lambda done: bar.update(task, completed=min(done, whole))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
