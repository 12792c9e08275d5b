"""The shell benchmark's result as two tables for people."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output

Result = Mapping[str, Any]


def show(result: Result, out: Output) -> None:
    """Print the dict that `shell.run_shell` returns."""
    out.header(f"The shell: {result['bundle']}, tier {result['tier']}, encodings in memory on every side", result)
    out.say("one caller, ms (median of the rounds' medians):")
    rows = [_alone(name, side) for name, side in result["alone"].items()]
    out.table(["", "p50", "p95", "processor", "over the engine", "per round"], rows)
    out.say(f"the service takes {_times(result['ratio'])} the time of bare FastAPI")
    out.say(f"{result['callers']} callers, answers a second:")
    names = ["", "batch", "answers", "engine alone", "share", "per round", "processor ms"]
    out.table(names, [_together(name, side) for name, side in result["together"].items()])


def _alone(name: str, side: Result) -> list[object]:
    return [name, *_figures(side, "p50_ms", "p95_ms", "cpu_ms", "over_ms"), _range(side["over_ms"])]


def _together(name: str, side: Result) -> list[object]:
    figures = _figures(side, "per_second", "engine_per_second", "ratio")
    return [name, side["batch"], *figures, _range(side["ratio"]), *_figures(side, "cpu_ms")]


def _figures(side: Result, *keys: str) -> list[object]:
    return [side[key]["median"] for key in keys]


def _range(found: Mapping[str, float]) -> str:
    return f"{found['min']:.2f} … {found['max']:.2f}"


def _times(found: Mapping[str, float]) -> str:
    return f"{found['median']:.2f} ({_range(found)}) times"
