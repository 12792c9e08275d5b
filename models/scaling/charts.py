"""Charts of the study: quality against work by size, against K+ by K', and on a catalogue that no scan is cheap on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.plots import COLOURS, write
from models.results import ResultsError
from models.scaling.claims import BEAMS, GUIDED
from models.scaling.sweep import Swept
from models.scaling.tables import value_of
from models.scaling.ways import DEFAULT, EXACT, KEEPS, PEERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]


def sizes(found: Sequence[Swept], path: Path) -> None:
    """N@10 against MFLOP: plain beams dashed, guided searches as dots with their best line, the scan as a star.

    Raises:
        ResultsError: nothing was measured.
    """
    from matplotlib.figure import Figure  # an offline extra, and a second to import

    if not found:
        raise ResultsError("nothing to plot: no bundle was swept")
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for colour, swept in zip(COLOURS * len(found), found, strict=False):
        _size(axes, swept, colour)
    axes.set(xlabel="inference MFLOP a request (matrix products, log scale)", ylabel="NDCG@10", xscale="log")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    write(figure, path)


def _size(axes: "Axes", swept: Swept, colour: str) -> None:
    plain = points(swept, (BEAMS,))
    if plain:
        axes.plot(*_columns(plain), marker="o", markersize=4, linestyle="--", color=colour, label=f"{swept.name}, beam")
    searched = points(swept, GUIDED)
    if searched:
        axes.plot(*_columns(searched), marker=".", linestyle="", alpha=0.4, color=colour)
        axes.plot(*_columns(frontier(searched)), color=colour, label=f"{swept.name}, PRM search")
    scan = points(swept, (PEERS,), only=EXACT)
    if scan:
        axes.plot(*_columns(scan), marker="*", markersize=11, linestyle="", color=colour, label=f"{swept.name}, scan")


def points(swept: Swept, groups: Sequence[str], figure: str = "ndcg", only: str = "") -> list[Point]:
    """(MFLOP, value) of every way of these groups, cheapest first."""
    ways = [pair for group in groups for pair in swept.of(group) if not only or pair[0].name == only]
    return sorted((swept.facts.flop(way) / 1e6, value_of(result, figure)) for way, result in ways)


def timed(swept: Swept, group: str, only: str = "") -> list[Point]:
    """(median CPU ms, N@10) of every timed way of a group, in order of K+."""
    ways = [pair for pair in swept.of(group) if not only or pair[0].name == only]
    return [(ms, result.ndcg(10)) for _, result in ways if (ms := result.median_ms()) is not None]


def frontier(found: Sequence[Point]) -> list[Point]:
    """Those that no cheaper one equals; `found` cheapest first."""
    best: list[Point] = []
    for point in found:
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best


def widths(swept: Swept, path: Path) -> None:
    """HRecall at the last depth and N@10 against K+/K', a line for each K'; the scan dotted.

    Raises:
        ResultsError: no group of widths was measured.
    """
    from matplotlib.figure import Figure

    if not any(swept.of(group) for group in GUIDED):
        raise ResultsError(f"{swept.name}: nothing to plot, no widths were measured")
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    depth = swept.facts.sizes.depth
    for axes, value, label in ((left, f"hrecall@{depth}", f"HRecall@{depth}@K'"), (right, "ndcg", "NDCG@10")):
        for colour, k_keep in zip(COLOURS, KEEPS, strict=False):
            ways = swept.of(f"k{k_keep}")
            ratios = [way.levels[0][1] / k_keep for way, _ in ways]
            axes.plot(ratios, [value_of(r, value) for _, r in ways], marker="o", color=colour, label=f"K' = {k_keep}")
        axes.set(title=label, xlabel="K+ / K' (children scored for each prefix kept)", xscale="log")
        axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.25)
    scan = swept.results.get(PEERS, {}).get(EXACT)
    if scan is not None:
        right.axhline(scan.ndcg(10), linestyle=":", color="#666666", linewidth=1, label=EXACT)
    right.legend(fontsize="small")
    write(figure, path)


def large(swept: Swept, path: Path) -> None:
    """A large catalogue: N@10 against CPU time, which counts selection too, beside scan and default tier; HRecall.

    Raises:
        ResultsError: no widths were measured.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    groups = [group for group in GUIDED if swept.of(group)]
    if not groups:
        raise ResultsError(f"{swept.name}: nothing to plot, no widths were measured")
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for colour, group in zip(COLOURS, groups, strict=False):
        ways = swept.of(group)
        left.plot(*_columns(timed(swept, group)), marker="o", color=colour, label=f"K' = {group[1:]}")
        for b in range(swept.facts.sizes.depth):
            style = (":", "--", "-")[min(b + 3 - swept.facts.sizes.depth, 2)]
            heights = [value_of(result, f"hrecall@{b + 1}") for _, result in ways]
            label = f"K' = {group[1:]}, depth {b + 1}"
            right.plot([w.levels[0][1] for w, _ in ways], heights, linestyle=style, color=colour, label=label)
    for name, marker in ((DEFAULT, "D"), (EXACT, "*")):
        found = timed(swept, PEERS, name)
        if found:
            left.plot(*_columns(found), marker=marker, markersize=9, linestyle="", color="#666666", label=name)
    left.set(xlabel="CPU ms a request, median (log scale)", ylabel="NDCG@10", xscale="log", title="Quality")
    right.set(xlabel="K+ at every depth (log scale)", xscale="log", title="HRecall by depth")
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (left.xaxis, right.xaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.legend(fontsize="x-small")
    write(figure, path)


def _columns(found: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in found], [y for _, y in found]
