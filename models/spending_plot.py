"""The plot of Shows: NDCG@10 against mean milliseconds, for every way to spend."""

from collections.abc import Sequence
from pathlib import Path

from models.allocation import Allocation
from models.metrics import Interval
from models.spending_report import Study, curve

_BLUE, _ORANGE, _GREY, _GREEN = "#3b6fb6", "#d1783c", "#666666", "#3d8f62"


def plot(found: Study, frontier: Sequence[tuple[Allocation, Allocation]], path: Path) -> None:
    """Draw a study; `frontier`: `auto` and its mix by lot at every price (kind of file by suffix: .svg, .png)."""
    from matplotlib.figure import Figure  # an offline extra, and a second to import

    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    tiers = [row.way for row in found.rows if row.way.name in found.tiers[1:]]
    axes.plot(*curve(tiers), marker="o", color=_GREY, label="fixed tiers")
    for way in tiers:
        axes.annotate(way.name, (way.cost, way.quality), xytext=(4, -11), textcoords="offset points", fontsize=8)
    axes.plot(*curve([auto for auto, _ in frontier]), color=_BLUE, label="auto by difficulty, any budget")
    axes.plot(*curve([lot for _, lot in frontier]), color=_ORANGE, linestyle="--", label="random, same mix")
    auto, best = found.row("auto"), found.row(found.best)
    gap = auto.to_best or Interval(0.0, 0.0, 0.0)
    low, high = gap.difference - gap.low, gap.high - gap.difference
    axes.errorbar(
        auto.way.cost, auto.way.quality, [[low], [high]], marker="D", color=_BLUE, capsize=3, label="auto as shipped"
    )
    axes.axhline(best.way.quality, color=_GREY, linewidth=1, linestyle=":")
    axes.axvline(0.6 * best.way.cost, color=_GREY, linewidth=1, linestyle=":")
    names = {row.way.name for row in found.rows}
    for name, marker in (("exact", "*"), ("oracle of the PRM's belief", "^")):
        if name in names:
            axes.plot(*curve([found.row(name).way]), marker, color=_GREEN, markersize=9, linestyle="", label=name)
    axes.set(xlabel="mean CPU milliseconds a request", ylabel="NDCG@10")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small", loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144)
