"""The picture of a soak: memory, handles and threads, the event loop, over the minutes of load."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.bench.soak.samples import Sample
from loadtest.bench.tiers import COLOURS
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = (
    ("MB of the service", ("rss_mb", "heap_mb", "cache_mb")),
    ("open files, sockets apart from callers', threads", ("files", "sockets", "threads")),
    ("MB of Redis", ("redis_mb",)),
    ("ms for GET /health/live", ("live_ms",)),
)


def plot(samples: Sequence[Sample], warm_s: float, path: Path) -> None:
    """A panel each (kind of file by suffix); the time before `warm_s` is shaded.

    Raises:
        BenchError: the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed (the bench extra).
    """
    from matplotlib.figure import Figure  # an extra, and a second to import

    figure = Figure(figsize=(9, 9), layout="constrained")
    for axes, (label, names) in zip(figure.subplots(len(PANELS), 1, sharex=True), PANELS, strict=True):
        _panel(axes, samples, names)
        axes.axvspan(0, warm_s / 60, color="#888888", alpha=0.15, linewidth=0)
        axes.set(ylabel=label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.legend(fontsize="small", loc="upper left")
    axes.set_xlabel("minutes of load; shaded: warm-up")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be written: {error}") from None


def _panel(axes: "Axes", samples: Sequence[Sample], names: Sequence[str]) -> None:
    for name, colour in zip(names, (COLOURS[4], COLOURS[0], COLOURS[3]), strict=False):
        known = [(one.at_s / 60, getattr(one, name)) for one in samples if getattr(one, name) is not None]
        axes.plot(*zip(*known, strict=True), color=colour, linewidth=1, label=name.removesuffix("_mb"))
