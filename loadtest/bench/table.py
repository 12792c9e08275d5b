"""The peer benchmark's result as a table for people: what was pinned, what differs, every round, the ratios."""

from collections.abc import Mapping
from typing import Any, TextIO

from loadtest.bench.peers_race import OWN_CORE
from loadtest.bench.peers_sides import OURS


def print_table(result: Mapping[str, Any], out: TextIO) -> None:
    """Print the dict that `peers.run_peers` returns."""
    _print_header(result, out)
    _print_times(result, out)
    for name, ratio in result["ratios"].items():
        spread = result["spread"][name]
        print(f"{name} takes {ratio:.2f} times our time ({spread['min']:.2f} to {spread['max']:.2f})", file=out)
    for name, sentence in result["missing"].items():
        print(f"{name} is missing: {sentence}", file=out)
    print(f"{result['valid']}", file=out)
    share = min(result["smallest_share"].values())
    print(f"{result['repeated_turns']} turns repeated because another process had the core", file=out)
    if share < OWN_CORE:
        print(f"not kept: a side had only {share:.0%} of the core; run again when nothing else does", file=out)


def _print_header(result: Mapping[str, Any], out: TextIO) -> None:
    print(
        f"{result['cpu']}, core {result['core']} only (sched_setaffinity), one thread on each side, fp32 unless the "
        f"name says int8, batch 1, cold encode included, {result['requests_per_round']} requests a round after "
        f"{result['warmup_requests']} to warm up; load average {result['load_average_1m']}",
        file=out,
    )
    print("environment of every side: " + ", ".join(result["variables"]), file=out)
    print("sizes: " + ", ".join(f"{name} {value}" for name, value in result["sizes"].items()), file=out)
    for name, title in result["titles"].items():
        versions = ", ".join(f"{package} {number}" for package, number in result["versions"][name].items())
        note = f"; {result['notes'][name]}" if name in result["notes"] else ""
        print(f"{name}: {title} ({versions}); {parameters(result['parameters'][name])}{note}", file=out)
        print(f"    {result['differs'][name]}", file=out)


def parameters(counts: Mapping[str, int]) -> str:
    """'4.56 M parameters', by part where there are parts; rows of items and prefixes apart."""
    parts = {name: count for name, count in counts.items() if name != "tables"}
    inside = " + ".join(f"{name} {count / 1e6:.2f}" for name, count in parts.items())
    total = f"{sum(parts.values()) / 1e6:.2f} M parameters"
    tables = f", {counts['tables'] / 1e6:.2f} M in rows of items and prefixes" if counts.get("tables") else ""
    return total + (f" ({inside})" if len(parts) > 1 else "") + tables


def _print_times(result: Mapping[str, Any], out: TextIO) -> None:
    names = list(result["titles"])
    width = max(map(len, names))
    rounds = range(1, len(result["ms_per_round"][OURS.name]) + 1)
    print(f"{'ms a request':<{width}}{'median':>9}" + "".join(f"{f'round {n}':>9}" for n in rounds), file=out)
    for name in names:
        values = (result["ms"][name], *result["ms_per_round"][name])
        print(f"{name:<{width}}" + "".join(f"{value:>9.2f}" for value in values), file=out)
