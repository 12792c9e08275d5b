"""A saturation run for people: what it was, every mode at every load, the adaptive one against its rival."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output
from loadtest.bench.tiers import rank

NAMES = ["mode", "× capacity", "offered/s", "in time/s", "p50 ms", "p99 ms", "refused", "late", "NDCG", "of offered"]


def show(result: Mapping[str, Any], out: Output) -> None:
    """Print the dict that `saturation.run_saturation` returns."""
    plan = result["plan"]
    out.header(f"Saturation: {result['bundle']}, deadline {plan['deadline_ms']:g} ms, nothing cached", result)
    out.say(f"quality {result['quality']}")
    rival = plan["modes"][1]
    out.say(f"capacity: {result['capacity']:.0f} requests a second of tier {rival} ({plan['callers']} callers)")
    out.say(f"PROMISE_MAX_CONCURRENT: {plan['places'] or 'its default'}")
    length = f"{plan['seconds']:g} s, {plan['warm_s']:g} s unjudged"
    out.say(f"medians (smallest … largest), mean quality, of {plan['repeats']} runs of {length}")
    ordered = sorted(result["rows"], key=lambda row: (plan["modes"].index(row["mode"]), row["factor"]))
    out.table(NAMES, [_line(row) for row in ordered])
    for row in ordered:
        if row["mode"] == plan["modes"][0]:
            out.say(f"{row['factor']:g} × capacity, tiers of {row['mode']}: {tiers(row['tiers'])}")
    for name, found in ((name, found) for name, found in result["ratios"].items() if found):
        told = ", ".join(f"{factor:g} ×: {_spread(ratio)}" for factor, ratio in found.items())
        out.say(f"{plan['modes'][0]} / {rival}, {name}: {told}")
    lost = {name: sum(row[name] for row in result["rows"]) for name in ("failed", "skipped")}
    late = max(one["driver_late_ms"] for one in result["cells"])
    out.say(f"{lost['failed']} failed, {lost['skipped']} skipped")
    out.say(f"driver: at most {result['driver_busy']:.0%} of its core and {late:.0f} ms late")


def tiers(counts: Mapping[str, int]) -> str:
    """Shares, cheapest first."""
    whole = max(1, sum(counts.values()))
    return ", ".join(f"{name} {counts[name] / whole:.0%}" for name in sorted(counts, key=rank))


def _line(row: Mapping[str, Any]) -> list[object]:
    shares = [_share(row[name]) for name in ("shed", "late")]
    worth = [_worth(row[name]) for name in ("ndcg", "ndcg_offered")]
    times = [_times(row[name]) for name in ("p50_ms", "p99_ms")]
    return [row["mode"], row["factor"], _rate(row["offered"]), _rate(row["goodput"]), *times, *shares, *worth]


def _rate(value: Mapping[str, float]) -> str:
    return f"{value['median']:.0f} ({value['min']:.0f} … {value['max']:.0f})"


def _times(value: Mapping[str, float] | None) -> str:
    return "–" if value is None else _rate(value)


def _share(value: Mapping[str, float]) -> str:
    return f"{value['median']:.1%}"


def _worth(value: Mapping[str, float] | None) -> str:
    return "–" if value is None else f"{value['mean']:.4f}"


def _spread(value: Mapping[str, float]) -> str:
    return f"{value['median']:.2f} ({value['min']:.2f} … {value['max']:.2f})"
