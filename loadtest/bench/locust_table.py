"""What a load test found, for people: scenarios, gates, processor time, the A/B report."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output
from loadtest.gates import shown
from loadtest.rows import JUDGED

COUNTS = ("requests", "failed", "shed", "degraded", "late")
TIMES = ("p50_ms", "p95_ms", "p99_ms")
SHOWN_EVENTS = ("click",)


def show(result: Mapping[str, Any], out: Output) -> None:
    """Print the dict that `locust_run.run_locust` returns."""
    verdict = result["verdict"]
    rows = [_scenario(one) for one in (*verdict["scenarios"], verdict["total"])]
    out.table(["scenario", "requests", "failed", "refused", "cut", "late", "p50 ms", "p95", "p99"], rows)
    out.say()
    gates = [[gate["name"], *_values(gate), "pass" if gate["passed"] else "FAIL"] for gate in verdict["gates"]]
    out.table(["gate", "value", "limit", "verdict"], gates)
    for report in result["reports"]:
        out.say()
        _report(report, out)
    out.say()
    service = "" if result["service_busy"] is None else f", service {result['service_busy']:.0%} of its own"
    out.say(f"driver: {result['driver_busy']:.0%} of a core{service}; beyond 90 % the driver is what was measured")
    out.say(f"report: {result['folder']}/report.html")
    for sentence in verdict["broken"]:
        out.say(f"not to be believed: {sentence}")
    out.say("passed" if verdict["passed"] else "not passed: " + _failed(verdict))


def _failed(verdict: Mapping[str, Any]) -> str:
    names = [gate["name"] for gate in verdict["gates"] if not gate["passed"]]
    return ", ".join(names or ["the load test itself broke"])


def _scenario(one: Mapping[str, Any]) -> list[object]:
    name = "all of /recommend" if one["name"] == "all" else one["name"].removeprefix(JUDGED)
    return [name, *(one[key] for key in COUNTS), *(_whole(one[key]) for key in TIMES)]


def _whole(milliseconds: float | None) -> object:
    return None if milliseconds is None else round(milliseconds)


def _values(gate: Mapping[str, Any]) -> tuple[str, str]:
    return shown(gate["value"], gate["unit"]), shown(gate["limit"], gate["unit"])


def _report(report: Mapping[str, Any], out: Output) -> None:
    split = report["split"]["sequential_p"]
    out.say(f"experiment {report['experiment']} (split against the weights: p = {split:.2g}; always-valid intervals)")
    tiers = {arm["bucket"]: _mix(arm["exposures"]) for arm in report["arms"]}
    rows = []
    for outcome in (one for one in report["outcomes"] if one["event"] in SHOWN_EVENTS):
        lifts = {lift["bucket"]: lift for lift in outcome["lifts"]}
        for rate in outcome["rates"]:
            told = _lift(lifts.get(rate["bucket"]))
            rows.append([rate["bucket"], rate["units"], _percent(rate["rate"]), *told, tiers[rate["bucket"]]])
    out.table(["bucket", "users", "clicked", "lift", "interval", "verdict", "served tiers"], rows)


def _lift(lift: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if lift is None:
        return "control", "–", "–"
    absolute = lift["absolute"]
    interval = absolute["always_valid"]
    between = f"{interval['low']:+.1%} … {interval['high']:+.1%}" if interval else "–"
    return "–" if absolute["value"] is None else f"{absolute['value']:+.1%}", between, lift["verdict"]


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def _mix(exposures: Mapping[str, int]) -> str:
    total = max(1, sum(exposures.values()))
    return ", ".join(f"{tier} {count / total:.0%}" for tier, count in exposures.items())
