"""The plot of Shows: HRecall@b@K' by depth and NDCG@10 against K+, beside the plain beam and the exact scan."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.results import Result, ResultsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3b6fb6", "#d1783c", "#3d8f62", "#8b5fa8", "#a3a13a", "#b04a5a")


def plot_widths(
    results: Sequence[Result], path: Path, *, beam: Result | None = None, exact: Result | None = None
) -> None:
    """Draw a sweep over K+ (kind of file by suffix: .svg, .png); dashed lines: `beam`; dotted: `exact`.

    Raises:
        ValueError: no result of the sweep comes from a search.
    """
    from matplotlib.figure import Figure  # an offline extra, and a second to import

    swept = sorted((result for result in results if result.paths), key=lambda result: result.k_plus)
    if not swept:
        raise ResultsError("nothing to plot: no result comes from a search")
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _hrecall(left, swept, beam)
    _ndcg(right, swept, beam, exact)
    for axes in (left, right):
        _wide_axis(axes, [result.k_plus for result in swept])
    write(figure, path)


def write(figure: "Figure", path: Path) -> None:
    """Keep a figure (kind of file by suffix: .svg, .png); the same figure gives the same file."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    undated = {"Date": None} if path.suffix == ".svg" else None
    with matplotlib.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(path, dpi=144, metadata=undated)


def _hrecall(axes: "Axes", swept: list[Result], beam: Result | None) -> None:
    curves = [result.hrecall() for result in swept]
    plain = beam.hrecall() if beam else None
    for b in range(min(len(curve) for curve in curves if curve is not None)):
        colour, name = COLOURS[b % len(COLOURS)], f"HRecall@{b + 1}@{swept[0].k_keep}"
        heights = [float(curve[b]) for curve in curves if curve is not None]
        axes.plot([result.k_plus for result in swept], heights, marker="o", color=colour, label=name)
        if plain is not None:
            axes.axhline(float(plain[b]), linestyle="--", color=colour, linewidth=1)
    axes.set(ylabel="share of users", title="True prefix kept, by depth")
    axes.set_ylim(bottom=0)


def _ndcg(axes: "Axes", swept: list[Result], beam: Result | None, exact: Result | None) -> None:
    heights = [result.ndcg(10) for result in swept]
    axes.plot([r.k_plus for r in swept], heights, marker="o", color=COLOURS[0], label="guided")
    for result, style in ((beam, "--"), (exact, ":")):
        if result is not None:
            axes.axhline(result.ndcg(10), linestyle=style, color="#666666", linewidth=1, label=result.method)
    axes.set(ylabel="NDCG@10", title="Quality of the list")


def _wide_axis(axes: "Axes", widths: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.set_xlabel("K+ (children scored by the PRM at every level)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
