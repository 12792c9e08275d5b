"""The peer benchmark: our guided search against other people's serving stacks, one core, batch 1, cold encode.

All sides get the same sizes, catalogue and histories. Workers live in environments of their own and take turns,
round by round (A B A B), so that a busy or throttled machine slows all; the figure is the ratio within a round.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.bench import venvs, workload
from loadtest.bench.peers_plot import plot
from loadtest.bench.peers_race import commands, free_core, measure, variables
from loadtest.bench.peers_sides import NAMES, chosen
from loadtest.bench.peers_summary import describe, summarise
from loadtest.bench.table import print_table
from loadtest.bench.venvs import BenchError
from loadtest.bench.workload import SHAPES, Sizes, World


def run_peers(
    rounds: int = 7,
    requests: int = 20,
    beam: int = 50,
    k_plus: int = 200,
    codes: int = 3,
    json_output: bool = False,
    fresh: bool = False,
    warmup: int = 5,
    core: int | None = None,
    index_url: str = "",
    prm: str = "inner",
    peers: str = "",
    size: str = "tiger",
    figure: Path | None = None,
    sizes: Sizes | None = None,
    cache: Path = venvs.CACHE,
) -> dict[str, Any]:
    """Run `rounds` interleaved rounds of `requests` requests on one core, print the table, return the result.

    `ratios` holds, for every peer, the median over rounds of (its median time / ours), `spread` the smallest and
    largest of those; `missing` a sentence for every peer that could not be had. With `json_output` standard output
    holds the result as JSON and nothing else. `index_url` is one more package index for the peers' environments, such
    as that of torch's CPU builds. `prm`: inner or cross, the form of our reward model. `peers`: names, separated by
    commas; empty: all. `size`: tiger or large. `sizes` take the place of size, codes and widths. `figure`: where to
    draw it.

    Raises:
        BenchError: too few rounds, an unknown name, ours did not start, a worker that failed on the way, or one that
            is not pinned as asked.
    """
    made = sizes or _sizes(size, codes, beam, k_plus)
    world, sides, core = _world(made, rounds, requests, warmup), chosen(peers, _form(prm)), free_core(core)
    built, missing = commands(sides, cache, fresh, index_url)
    raced = measure(built, world, rounds, requests, warmup, core)
    result = describe(world.sizes, raced.ready, core, requests, warmup, sides) | summarise(raced.times)
    result |= {"size": size if sizes is None else "own", "missing": missing | dict(raced.missing)}
    result |= {"variables": variables(), "smallest_share": dict(raced.shares), "repeated_turns": raced.repeated}
    print_table(result, sys.stderr if json_output else sys.stdout)
    if figure is not None:
        plot(result, figure)
    if json_output:
        print(json.dumps(result))
    return result


def lacking(result: dict[str, Any], peers: str) -> bool:
    """Whether a peer that was asked for by its name could not be had: exit code 1."""
    return bool(peers and result["missing"])


def _sizes(size: str, codes: int, beam: int, k_plus: int) -> Sizes:
    if size not in SHAPES:
        raise BenchError(f"no size is called '{size}': {', '.join(SHAPES)} are known")
    return Sizes(codes=codes, beam=beam, k_plus=k_plus, returned=min(10, beam), **SHAPES[size])


def _form(prm: str) -> str:
    if prm not in ("inner", "cross"):
        raise BenchError(f"no PRM form is called '{prm}': inner, cross are known")
    return prm


def _world(sizes: Sizes, rounds: int, requests: int, warmup: int) -> World:
    if rounds < 5 or requests < 1 or warmup < 1:
        raise BenchError("the benchmark needs at least 5 rounds, 1 request a round and 1 warm-up request")
    try:
        return workload.build(sizes, warmup + rounds * requests)
    except ValueError as error:
        raise BenchError(str(error)) from None


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m loadtest.bench.peers`: the same as `promise bench peers`."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rounds", 7), ("requests", 20), ("beam", 50), ("k-plus", 200), ("codes", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--peers", default="", help=f"names separated by commas, of {', '.join(NAMES)}; absent: all")
    parser.add_argument("--size", choices=tuple(SHAPES), default="tiger", help="model size on all sides")
    parser.add_argument("--figure", type=Path, help="where to draw it, .svg or .png")
    parser.add_argument("--core", type=int, help="the core to pin to; the last one by default")
    parser.add_argument("--prm", choices=("inner", "cross"), default="inner", help="form of our reward model")
    parser.add_argument("--index-url", default="", help="one more package index for the peers' environments")
    parser.add_argument("--json", action="store_true", dest="json_output")
    parser.add_argument("--fresh", action="store_true", help="rebuild the peers' environments")
    options = vars(parser.parse_args(argv))
    try:
        return int(lacking(run_peers(**options), options["peers"]))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
