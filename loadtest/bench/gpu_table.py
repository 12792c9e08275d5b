"""The GPU benchmark's result as tables for people."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output

Result = Mapping[str, Any]
UNKNOWN_SHARE = "device busy: not measured (it takes one GPU and a driver that counts)"
SHARE = "device busy: share of time in which at least one kernel ran, by the driver's counter; an upper bound of work"


def show(result: Result, out: Output) -> None:
    """Print the dict that `gpu.run_gpu` returns."""
    driver = f", driver {result['driver']}" if result["driver"] else ""
    out.header(f"The engine on {result['kind']}: {result['device']}{driver}, built for CUDA {result['cuda']}", result)
    for name, model in result["models"].items():
        out.say(f"{name}: {model['bundle']} on {', '.join(model['providers'])}; a call is a batch, nothing cached")
        if model["graphs_not_on_cuda"] is not None:
            out.say(f"graphs with a node left to the CPU: {', '.join(model['graphs_not_on_cuda']) or 'none'}")
        names = ["tier", "batch", "calls", "p50 ms", "p99 ms", "requests/s", "per round", "device busy"]
        out.table(names, [_case(case) for case in model["cases"]])
        for tier, found in model["agreement"].items():
            out.say(f"{tier}: {_agreement(found, result['tolerance'])}")
    measured = any(case["device_share"] is not None for model in result["models"].values() for case in model["cases"])
    out.say(SHARE if measured else UNKNOWN_SHARE)
    out.table(["target", "model", "promised", "measured", "met"], [_target(line) for line in result["targets"]])


def _case(case: Result) -> list[object]:
    rate, share = case["per_second"], case["device_share"]
    between = f"{rate['min']:.0f} … {rate['max']:.0f}"
    figures = [case["tier"], case["batch"], case["calls"], case["p50_ms"], case["p99_ms"], f"{rate['median']:.0f}"]
    return [*figures, between, None if share is None else f"{100 * share:.0f} %"]


def _agreement(found: Result, tolerance: float) -> str:
    gap, word = found["largest_score_difference"], "within" if found["within_tolerance"] else "MORE THAN"
    lists = f"{found['different']} of {found['lists']} lists differ from the CPU's beyond scores equal to {tolerance:g}"
    return f"{lists}; the same item's scores differ by at most {gap:.1e}, {word} {tolerance:g}"


def _target(line: Result) -> list[object]:
    figures = [f"{line[key]:.1f}" for key in ("target", "measured")]
    return [line["what"], line["model"], *figures, "yes" if line["met"] else "no"]
