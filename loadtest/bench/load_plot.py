"""The picture of a load step: what was offered and answered, which tiers answered, how long it took."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.bench.tiers import COLOURS, rank
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]


def plot(rows: Rows, rates: Sequence[float], seconds: float, deadline_ms: float, path: Path) -> None:
    """Three panels over time (kind of file by suffix). `rows`: `Second.plain()` of every second.

    Raises:
        BenchError: the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed (the bench extra).
    """
    from matplotlib.figure import Figure  # an extra, and a second to import

    figure = Figure(figsize=(9, 8), layout="constrained")
    rate, tiers, latency = figure.subplots(3, 1, sharex=True)
    _rates(rate, rows, rates, seconds)
    _tiers(tiers, rows)
    _latency(latency, rows, deadline_ms)
    for axes in (rate, tiers, latency):
        axes.grid(alpha=0.25)
        axes.legend(fontsize="small", loc="upper left")
    latency.set_xlabel("seconds")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be written: {error}") from None


def _times(rows: Rows) -> list[float]:
    return [row["at"] + 0.5 for row in rows]


def _rates(axes: "Axes", rows: Rows, rates: Sequence[float], seconds: float) -> None:
    edges = [n * seconds for n in range(len(rates) + 1)]
    axes.stairs(list(rates), edges, color="#666666", linestyle=":", label="offered")
    axes.plot(_times(rows), [row["goodput"] for row in rows], color=COLOURS[4], label="answered in time")
    axes.plot(_times(rows), [row["shed"] for row in rows], color=COLOURS[0], label="refused with Retry-After")
    axes.set(ylabel="requests a second", title="What was offered, answered and refused")
    axes.set_ylim(bottom=0)


def _tiers(axes: "Axes", rows: Rows) -> None:
    names = sorted({name for row in rows for name in row["tiers"]}, key=rank)
    shares = [[row["tiers"].get(name, 0) / max(1, sum(row["tiers"].values())) for row in rows] for name in names]
    axes.stackplot(_times(rows), shares, labels=names, colors=COLOURS[: len(names)])
    axes.set(ylabel="share of answers by tier", ylim=(0, 1))


def _latency(axes: "Axes", rows: Rows, deadline_ms: float) -> None:
    for name, colour in (("p50_ms", COLOURS[4]), ("p99_ms", COLOURS[1]), ("max_ms", COLOURS[0])):
        axes.plot(_times(rows), [row[name] for row in rows], color=colour, label=name.removesuffix("_ms"))
    axes.axhline(deadline_ms, color="#666666", linestyle="--", linewidth=1, label="deadline")
    axes.set(ylabel="ms from the intended start")
    axes.set_ylim(bottom=0)
