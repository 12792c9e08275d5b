"""The picture of the peer benchmark: every side's time over ours, with the spread over the rounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.bench.peers_sides import OURS
from loadtest.bench.venvs import BenchError

COLOURS = {
    "ours": ("#3b6fb6", "ours"),
    "constrained": ("#d1783c", "constrained to the catalogue"),
    "free": ("#a3a13a", "no constraint"),
    "ranking": ("#3d8f62", "ranks all items, generates nothing"),
}


def plot(result: Mapping[str, Any], path: Path) -> None:
    """A bar a side, slowest first (kind of file by suffix). `result`: what `peers.run_peers` returns.

    Raises:
        BenchError: the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed (the bench extra).
    """
    from matplotlib.figure import Figure  # an extra, and a second to import
    from matplotlib.patches import Patch

    ratios, spread = {OURS.name: 1.0} | result["ratios"], result["spread"]
    names = sorted(ratios, key=ratios.__getitem__)
    heights = [ratios[name] for name in names]
    errors = [[ratios[name] - spread.get(name, {"min": 1.0})["min"] for name in names]]
    errors += [[spread.get(name, {"max": 1.0})["max"] - ratios[name] for name in names]]
    figure = Figure(figsize=(9, 0.9 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    colours = [COLOURS[result["kinds"][name]][0] for name in names]
    axes.barh(names, heights, color=colours, xerr=errors, ecolor="#333333", capsize=2)
    for row, name in enumerate(names):
        right = ratios[name] + errors[1][row]
        axes.text(right, row, f"  {ratios[name]:.2f}× ({result['ms'][name]:.1f} ms)", va="center", fontsize="small")
    axes.axvline(1.0, color="#666666", linestyle="--", linewidth=1)
    axes.set(xlabel="time over ours (median over rounds; whiskers: smallest and largest)", title=_title(result))
    axes.set_xlim(0, 1.25 * max(map(sum, zip(heights, errors[1], strict=True))))
    axes.grid(axis="x", alpha=0.25)
    shown = [kind for kind in COLOURS if kind in result["kinds"].values()]
    axes.legend(handles=[Patch(color=COLOURS[kind][0], label=COLOURS[kind][1]) for kind in shown], fontsize="small")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be written: {error}") from None


def _title(result: Mapping[str, Any]) -> str:
    sizes = result["sizes"]
    layers = f"{sizes['encoder_layers']} + {sizes['decoder_layers']} layers"
    shape = f"width {sizes['d_model']}, {layers}, {sizes['codes']} codes, beam {sizes['beam']}"
    return f"One core, batch 1, cold encode: {shape}"
