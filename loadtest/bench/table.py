"""The peer benchmark's result as a table for people: what was pinned, what differs, every round, the ratios."""

from collections.abc import Mapping
from typing import Any, TextIO


def print_table(result: Mapping[str, Any], out: TextIO) -> None:
    """Print the dict that `peers.run_peers` returns."""
    _print_header(result, out)
    _print_rounds(result, out)
    for name, ratio in result["ratios"].items():
        spread = result["spread"][name]
        print(f"{name} takes {ratio:.2f} times our time ({spread['min']:.2f} to {spread['max']:.2f})", file=out)
    print(f"{result['valid']}", file=out)


def _print_header(result: Mapping[str, Any], out: TextIO) -> None:
    print(
        f"{result['cpu']}, core {result['core']} only (sched_setaffinity), one thread on each side "
        f"(torch.set_num_threads, onnxruntime intra_op and inter_op), fp32, batch 1, cold encode included, "
        f"{result['requests_per_round']} requests a round after {result['warmup_requests']} to warm up",
        file=out,
    )
    print("sizes: " + ", ".join(f"{name} {value}" for name, value in result["sizes"].items()), file=out)
    for name, title in result["titles"].items():
        versions = ", ".join(f"{package} {number}" for package, number in result["versions"][name].items())
        print(f"{name}: {title} ({versions}); {result['differs'][name]}", file=out)


def _print_rounds(result: Mapping[str, Any], out: TextIO) -> None:
    names = list(result["titles"])
    print(f"{'round':>8}" + "".join(f"{name + ' ms':>12}" for name in names), file=out)
    rounds = zip(*(result["ms_per_round"][name] for name in names), strict=True)
    for number, row in enumerate(rounds, start=1):
        print(f"{number:>8}" + "".join(f"{value:>12.2f}" for value in row), file=out)
    print(f"{'median':>8}" + "".join(f"{result['ms'][name]:>12.2f}" for name in names), file=out)
