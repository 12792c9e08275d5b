"""The picture of the scale benchmark: search beside scan and HNSW, and what building and changing cost, by items."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"k50": "#3b6fb6", "k200": "#8b5fa8", "scan": "#b04a5a", "hnsw": "#d1783c"}
COSTS = {"build": "#3d8f62", "update": "#a3a13a"}
STYLES = {"skewed": "-", "uniform": "--"}


def plot(result: Mapping[str, Any], path: Path) -> None:
    """Two panels over the number of items (kind of file by suffix). `result`: what `scale.run_scale` returns.

    Raises:
        BenchError: the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed (the bench extra).
    """
    from matplotlib.figure import Figure  # an extra, and a second to import

    figure = Figure(figsize=(9, 4), layout="constrained")
    searches, costs = figure.subplots(1, 2)
    for codes, found in result["codes"].items():
        _searches(searches, codes, found)
        _costs(costs, codes, found)
    searches.set(ylabel="ms a request, encoding cached", title="Search")
    costs.set(ylabel="seconds", title="Build, and update of 1 %")
    for axes in (searches, costs):
        axes.set(xscale="log", yscale="log", xlabel="items")
        axes.grid(alpha=0.25)
        axes.legend(fontsize="small")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be written: {error}") from None


def _searches(axes: "Axes", codes: str, found: Mapping[str, Any]) -> None:
    sizes = sorted(found["sizes"].values(), key=lambda facts: int(facts["items"]))
    items = [facts["items"] for facts in sizes]
    for step in ("k50", "k200", "scan"):
        times = [facts["ms"][step] for facts in sizes]
        label = f"{'exact scan' if step == 'scan' else step}, {codes}"
        axes.plot(items, times, STYLES[codes], marker="o", markersize=3, color=COLOURS[step], label=label)
    for graph in found["hnsw"].values():
        for effort, one in graph["efforts"].items():
            axes.plot(graph["items"], one["ms"], "^", color=COLOURS["hnsw"])
            axes.annotate(f"HNSW {effort}: {one['recall']:.0%}", (graph["items"], one["ms"]), fontsize="x-small")


def _costs(axes: "Axes", codes: str, found: Mapping[str, Any]) -> None:
    sizes = sorted(found["sizes"].values(), key=lambda facts: int(facts["items"]))
    items = [facts["items"] for facts in sizes]
    seconds = {
        "build": [facts["build_s"] for facts in sizes],
        "update": [facts["update_s"]["median"] for facts in sizes],
    }
    for step, values in seconds.items():
        axes.plot(items, values, STYLES[codes], marker="o", markersize=3, color=COSTS[step], label=f"{step}, {codes}")
