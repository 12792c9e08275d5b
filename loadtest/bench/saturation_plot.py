"""The picture of a saturation run: latency, goodput, tiers and quality against offered load, one colour a mode."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.bench.tiers import COLOURS, rank
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODES = ("#2f5fa8", "#c0504d", "#8a8a8a")
Rows = Sequence[Mapping[str, Any]]


def plot(result: Mapping[str, Any], path: Path) -> None:
    """Four panels (kind of file by suffix) of the dict that `saturation.run_saturation` returns.

    Raises:
        BenchError: the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed (the bench extra).
    """
    from matplotlib.figure import Figure  # an extra, and a second to import

    plan = result["plan"]
    by_mode = {mode: _of(result["rows"], mode) for mode in plan["modes"]}
    figure = Figure(figsize=(11, 8), layout="constrained")
    (latency, goodput), (mix, quality) = figure.subplots(2, 2)
    _latency(latency, by_mode, plan["deadline_ms"])
    _goodput(goodput, by_mode, result["capacity"])
    _mix(mix, by_mode[plan["modes"][0]], plan["modes"][0])
    _quality(quality, by_mode)
    for axes in (latency, goodput, quality):
        axes.grid(alpha=0.25)
    goodput.legend(fontsize="small")
    for axes in (mix, quality):
        axes.set_xlabel(f"offered load, × capacity of {plan['modes'][1]} ({result['capacity']:.0f} a second)")
    figure.suptitle(f"{result['bundle']}, one core, deadline {plan['deadline_ms']:g} ms", fontsize="medium")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be written: {error}") from None


def _of(rows: Rows, mode: str) -> Rows:
    return sorted((row for row in rows if row["mode"] == mode), key=lambda row: row["factor"])


def _line(axes: "Axes", rows: Rows, name: str, colour: str, label: str = "", style: str = "-") -> None:
    """Medians (qualities: means), and a band from the smallest to the largest repeat."""
    known = [row for row in rows if row[name] is not None]
    at = [row["factor"] for row in known]
    low, high = ([row[name][key] for row in known] for key in ("min", "max"))
    middle = [row[name].get("median", row[name].get("mean")) for row in known]
    axes.plot(at, middle, style, color=colour, label=label or None, marker="o", markersize=3)
    axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)


def _styles(axes: "Axes", named: Mapping[str, str]) -> None:
    """A legend of line styles; colours are those of the goodput panel."""
    handles = [axes.plot([], [], style, color="#222222", linewidth=1, label=name)[0] for name, style in named.items()]
    axes.legend(handles=handles, fontsize="small")


def _latency(axes: "Axes", by_mode: Mapping[str, Rows], deadline_ms: float) -> None:
    for rows, colour in zip(by_mode.values(), MODES, strict=False):
        _line(axes, rows, "p99_ms", colour)
        _line(axes, rows, "p50_ms", colour, style=":")
    axes.axhline(deadline_ms, color="#222222", linestyle="--", linewidth=1)
    _styles(axes, {"p99": "-", "p50": ":", "deadline": "--"})
    axes.set(ylabel="ms from the intended start", title="Latency of what was answered")
    axes.set_ylim(0, 1.3 * max(deadline_ms, axes.get_ylim()[1] / 1.05))


def _goodput(axes: "Axes", by_mode: Mapping[str, Rows], capacity: float) -> None:
    factors = [row["factor"] for row in next(iter(by_mode.values()))]
    for (mode, rows), colour in zip(by_mode.items(), MODES, strict=False):
        _line(axes, rows, "goodput", colour, mode)
    top = max(row["goodput"]["max"] for rows in by_mode.values() for row in rows)
    axes.plot(factors, [factor * capacity for factor in factors], color="#222222", linestyle=":", label="offered")
    axes.set(ylabel="answers within the deadline, a second", title="Goodput")
    axes.set_ylim(0, 1.15 * top)


def _mix(axes: "Axes", rows: Rows, mode: str) -> None:
    names = sorted({name for row in rows for name in row["tiers"]}, key=rank)
    at, base = range(len(rows)), [0.0] * len(rows)
    for name, colour in zip(names, COLOURS, strict=False):
        shares = [row["tiers"].get(name, 0) / max(1, sum(row["tiers"].values())) for row in rows]
        axes.bar(at, shares, 0.8, base, color=colour, label=name)
        base = [low + share for low, share in zip(base, shares, strict=True)]
    axes.set_xticks(list(at), [f"{row['factor']:g}" for row in rows])
    axes.set(ylabel="share of answers by tier", title=f"What {mode} served", ylim=(0, 1))
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))


def _quality(axes: "Axes", by_mode: Mapping[str, Rows]) -> None:
    for rows, colour in zip(by_mode.values(), MODES, strict=False):
        _line(axes, rows, "ndcg", colour)
        _line(axes, rows, "ndcg_offered", colour, style=":")
    _styles(axes, {"of what was answered in time": "-", "of all that was offered, the rest being 0": ":"})
    axes.set(ylabel="NDCG@10", title="Quality of the lists")
    axes.set_ylim(bottom=0)
