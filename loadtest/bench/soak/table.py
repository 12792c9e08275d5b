"""The result of a soak for people: what was asked and answered, what changed, what grew, which promise was kept."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output


def show(result: Mapping[str, Any], out: Output) -> None:
    """Print the dict that `soak.run_soak` returns; its header was said before."""
    out.say()
    out.table(["kind", "calls", "answered", "refused", "failed", "late"], _kinds(result))
    out.say()
    changes, slowest = result["changes"], result["slowest_s"]
    out.table(["change", "times", "slowest s"], [[name, many, slowest[name]] for name, many in changes.items()])
    out.say()
    names = ["over the time after the warm-up", "first quarter", "last quarter", "growth %", "an hour"]
    out.table(names, [_trend(name, trend) for name, trend in result["trends"].items()])
    out.say()
    _facts(result, out)
    out.table(["promise", "found", "limit", ""], [_gate(gate) for gate in result["gates"]])
    for name in ("faults", "log"):
        for what, many in result[name].items():
            out.say(f"{name}: {many} × {what}")
    out.say("kept" if result["kept"] else "not kept")


def _facts(result: Mapping[str, Any], out: Output) -> None:
    load, people = result["plan"]["load"], result["people"]
    out.say(
        f"{result['rate']:.0f} calls a second, {load:g} of {result['capacity']:.0f}; p50 {result['p50_ms']}, "
        f"p95 {result['p95_ms']}, p99 {result['p99_ms']} ms from the intended start"
    )
    out.say(f"the service used {result['busy']:.0%} of its core, the driver {result['driver_busy']:.0%} of its own")
    refusals = ", ".join(f"{many} {why}" for why, many in result["refusals"].items())
    out.say(f"refusals: {refusals or 'none'}; {', '.join(f'{many} {what}' for what, many in people.items())}")
    told = ", ".join(f"{many} {event}" for event, many in result["told"].items())
    out.say(f"expected errors in the service's log: {told or 'none'}; samples, chart: {result['folder']}")


def _kinds(result: Mapping[str, Any]) -> list[list[object]]:
    """A row for each kind of call, those with a tier or a mistake in their name together."""
    rows: dict[str, dict[str, int]] = {}
    for name, many in result["outcomes"].items():
        kind, _, became = name.rpartition(": ")
        row = rows.setdefault(_family(kind), {})
        row[became] = row.get(became, 0) + many
    for kind, many in result["late_by_kind"].items():
        rows[_family(kind)]["late"] = rows[_family(kind)].get("late", 0) + many
    shown = ("answered", "refused", "failed")
    return [
        [kind, sum(row.get(name, 0) for name in shown), *(row.get(name, 0) for name in (*shown, "late"))]
        for kind, row in rows.items()
    ]


def _family(kind: str) -> str:
    for start in ("tier", "strategy", "wrong", "GET"):
        if kind.startswith((f"{start} ", f"{start}:")):
            return f"{start} …"
    return kind


def _trend(name: str, trend: Mapping[str, float]) -> list[object]:
    return [name, trend["first"], trend["last"], 100 * trend["growth"], trend["per_hour"]]


def _gate(gate: Mapping[str, Any]) -> list[object]:
    value, limit = (f"{gate[name]:.4g}" for name in ("value", "limit"))
    return [gate["name"], value, limit, "kept" if gate["kept"] else "BROKEN"]
