"""The result of the benchmark of long histories for people."""

from typing import Any

from loadtest.bench.histories_sizes import Plan
from loadtest.bench.output import Output

FORMS = ("memory", "states", "keys and values")


def show(title: str, found: dict[str, Any], plan: Plan, out: Output) -> None:
    """One encoder at one limit: times and ratios, bytes, and what a visit costs on average."""
    out.say()
    out.say(f"{title}, {found['limit']} items; processor ms, medians of {plan.rounds} rounds")
    rows: list[list[object]] = [[way, *_times(found, way), None, None] for way in ("whole", "in steps")]
    rows += [[way, *_times(found, way), *_ratios(found, way)] for way in found["ratio"]]
    out.table(["", "ms", "from", "to", "on the wall", "whole / this", "in steps / this"], rows)
    rows = [
        [form, found["bytes"][form], *(_median(found, f"{verb} {form}") for verb in ("load", "store"))]
        for form in FORMS
    ]
    out.table(["kept", "bytes", "load ms", "store ms"], rows)
    share, block = found["extended_at_limit"], max(1, found["limit"] // 4)
    out.say(
        f"a full window can be extended at {share['by one']:.0%} of visits where it slides by one, at "
        f"{share['by blocks']:.1%} where it drops {block} items when it is full: "
        f"{_median(found, 'visits at the limit'):.2f} ms a visit, storing included"
    )
    means = ", ".join(f"{name} {ms:.2f}" for name, ms in found["mean_ms"].items())
    out.say(f"ms a visit and storing, {plan.at_limit:.0%} of visits with a full window: {means}")
    out.say(f"extended and whole memory differ by at most {found['difference']:.1e}")


def show_verdict(result: dict[str, Any], out: Output) -> None:
    out.say()
    out.say("only a history that grows inside the window can be extended: positions count from its oldest item")
    if result["smallest_ratio"] is not None:
        worth = "worth building" if result["worth_it"] else "not worth building"
        out.say(f"from 256 items on, extending wins {result['smallest_ratio']:.1f} times at least: {worth}")


def _times(found: dict[str, Any], way: str) -> list[object]:
    times = found["ms"][way]
    return [times["median"], times["min"], times["max"], found["wall_ms"][way]["median"]]


def _ratios(found: dict[str, Any], way: str) -> list[object]:
    return [
        f"{found[kind][way]['median']:.1f} ({found[kind][way]['min']:.1f}–{found[kind][way]['max']:.1f})"
        for kind in ("ratio", "ratio_of_steps")
    ]


def _median(found: dict[str, Any], way: str) -> float:
    median: float = found["ms"][way]["median"]
    return median
