"""Progress of long work on standard error: bars on a terminal, lines with their minute elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining

from service.commands.output import PIPED


class Watch:
    """What long work tells: `say` a line that stays, `at` how far something is (drawn on terminals only)."""

    def __init__(self, console: Console, bars: Progress | None, quiet: bool) -> None:
        self._console, self._bars, self._quiet, self._start = console, bars, quiet, time.monotonic()
        self._tasks: dict[str, TaskID] = {}

    def say(self, line: str) -> None:
        if not self._quiet:
            minutes = (time.monotonic() - self._start) / 60
            self._console.print(f"[{minutes:5.1f} min] {line}", markup=False, soft_wrap=True)

    def at(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
        if done >= total:
            self._bars.remove_task(self._tasks.pop(what))


@contextmanager
def watched(quiet: bool = False, resumes: bool = False) -> Iterator[Watch]:
    """Watch work until it ends. `resumes`: what is done is kept, and whoever presses Ctrl-C is told so."""
    console = Console(stderr=True, highlight=False)
    drawn = console.is_terminal and not quiet
    if not drawn:
        console = Console(stderr=True, highlight=False, width=PIPED)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), Remaining())
    # Standard output belongs to results and must not be drawn into.
    bars = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    try:
        if drawn:
            with bars:
                yield Watch(console, bars, quiet)
        else:
            yield Watch(console, None, quiet)
    except KeyboardInterrupt:
        if resumes:
            typer.echo("What is done is kept: the same command goes on from there.", err=True)
        raise
