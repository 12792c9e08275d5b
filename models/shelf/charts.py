"""Quality against compute of every strategy: FLOP on the left, CPU milliseconds on the right."""

from pathlib import Path
from typing import TYPE_CHECKING

from models.plots import COLOURS, write
from models.results import ResultsError
from models.shelf.control import COSTS, quality
from models.shelf.settings import DEFAULT, EVEN, GUIDED, NARROW, TIERS
from models.shelf.study import Shelf

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = ("s", "^", "v", "D", "P", "X", "<", ">", "p", "h", "*")
LABELS = {"FLOP": "MFLOP a request (matrix products, log scale)", "ms": "mean CPU ms a request (log scale)"}


def strategies(shelf: Shelf, path: Path) -> None:
    """N@10 of every setting, a mark for each strategy; guided search as a line, its default tier ringed.

    Raises:
        ResultsError: guided search was not measured.
    """
    from matplotlib.figure import Figure  # an offline extra, and a second to import
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    if not shelf.of(GUIDED):
        raise ResultsError(f"{shelf.subject.name}: nothing to plot, guided search was not measured")
    figure = Figure(figsize=(12, 5), layout="constrained")
    for axes, (name, cost) in zip(figure.subplots(1, 2, sharey=True), COSTS.items(), strict=True):
        scale = 1e6 if name == "FLOP" else 1.0
        for number, strategy in enumerate(each for each in shelf.measured if each != GUIDED):
            points = [(cost(one) / scale, float(quality(one).mean())) for one in shelf.of(strategy)]
            look = {"marker": MARKS[number % len(MARKS)], "color": COLOURS[number % len(COLOURS)]}
            axes.plot([x for x, _ in points], [y for _, y in points], linestyle="", label=strategy, alpha=0.85, **look)
        _guided(axes, [(one.setting.base, cost(one) / scale, float(quality(one).mean())) for one in shelf.of(GUIDED)])
        axes.set(xlabel=LABELS[name], xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.25)
    figure.axes[0].set(ylabel="NDCG@10")
    figure.axes[1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    write(figure, path)


def _guided(axes: "Axes", points: list[tuple[str, float, float]]) -> None:
    lines = (
        (EVEN, "as wide at every depth", "--"),
        (TIERS, "tuned by depth", "-"),
        (NARROW, "narrow, wide pools", ":"),
    )
    for bases, what, style in lines:
        line = sorted((x, y) for base, x, y in points if base in bases)
        label = f"{GUIDED}, {what}"
        axes.plot([x for x, _ in line], [y for _, y in line], style, marker=".", color="#222222", label=label)
    for base, x, y in points:
        if base == DEFAULT:
            axes.plot([x], [y], "o", markersize=13, fillstyle="none", color="#222222", label="default tier")
