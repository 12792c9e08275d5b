"""Explanations: whether what they name is what moved the reward, and what they cost beside the same request without."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest import workload
from loadtest.bench import machine
from loadtest.bench.explain_truth import LONGER_THAN, measured, summary
from loadtest.bench.explain_world import World, made_histories, open_world, real_histories
from loadtest.bench.output import Output, spread
from loadtest.bench.venvs import BenchError

I32 = NDArray[np.int32]

LONGEST = 50  # items of the longest histories that are timed


def run_explain(
    bundle: Path,
    data_dir: Path | None = None,
    requests: int = 200,
    rounds: int = 7,
    tiers: Sequence[str] = ("k10", "k50", "k200"),
    calls: int = 20,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Both parts: `requests` histories of more than six items at the middle tier; every tier timed in `rounds`.

    Raises:
        BenchError: a folder without a bundle or without the data, or too few rounds.
        WorkloadError: the bundle has no catalogue.
    """
    if rounds < 2 or requests < 1 or calls < 1 or not tiers:
        raise BenchError("the benchmark needs 2 rounds or more, a request, a call, and a tier")
    world = open_world(bundle)
    out = Output(json_output)
    result = machine.describe(machine.Cores((), ())) | {"bundle": bundle.name, "requests": requests}
    out.header(f"Explanations: {bundle.name}, batch 1, encoding included", result)
    if data_dir is None:
        histories = made_histories(bundle, world, requests, LONGER_THAN, seed)
    else:
        histories = real_histories(world, data_dir, requests, LONGER_THAN, seed)
    tier = tiers[len(tiers) // 2]
    result |= {"histories": "made" if data_dir is None else "real", "truth_tier": tier}
    result["mean_length"] = statistics.fmean(map(len, histories))
    result["truth"] = summary(measured(world, histories, tier, seed=seed))
    _show_truth(result, out)
    result["cost"] = costs(world, bundle, tiers, rounds, calls, seed)
    _show_cost(result["cost"], out)
    out.end(result)
    return result


def costs(
    world: World, bundle: Path, tiers: Sequence[str], rounds: int, calls: int, seed: int
) -> dict[str, dict[str, Any]]:
    """By tier and length, milliseconds with and without, taking turns request by request; ratios round by round."""
    items = workload.read_items(bundle)
    lengths = {"made users": None, f"{LONGEST} items": min(LONGEST, world.served.history_limit)}
    found: dict[str, dict[str, Any]] = {}
    cases = [(tier, name, length) for tier in tiers for name, length in lengths.items()]
    sides: dict[str, tuple[list[float], list[float]]] = {}
    for round_number in range(rounds + 1):  # the first one warms up
        for tier, name, length in cases:
            drawn = workload.histories(items, calls, seed + round_number, length)
            some = _round(world, [world.rows(history) for history in drawn], tier)
            if round_number:
                for side, milliseconds in zip(sides.setdefault(f"{tier}, {name}", ([], [])), some, strict=True):
                    side.append(milliseconds)
    for name, (without, explained) in sides.items():
        ratios = [more / less for less, more in zip(without, explained, strict=True)]
        found[name] = {"ms": spread(without), "explained ms": spread(explained), "ratio": spread(ratios)}
    return found


def _round(world: World, histories: Sequence[I32], tier: str) -> tuple[float, float]:
    """Median milliseconds without and with."""
    times: tuple[list[float], list[float]] = ([], [])
    for history in histories:
        for side, explain in zip(times, (False, True), strict=True):
            side.append(1000 * world.timed(history, tier, explain))
    return statistics.median(times[0]), statistics.median(times[1])


def _show_truth(result: dict[str, Any], out: Output) -> None:
    out.say(
        f"{result['requests']} {result['histories']} histories of more than {LONGER_THAN} items, on average "
        f"{result['mean_length']:.1f}, {result['truth_tier']}: share of requests in which removing the three named "
        "items moves the best item's prefix more than removing three others, and the mean moves in nats"
    )
    columns = list(next(iter(result["truth"].values())))
    out.table(["", *columns], [[name, *row.values()] for name, row in result["truth"].items()])


def _show_cost(costs: dict[str, dict[str, Any]], out: Output) -> None:
    out.say()
    rows = [
        [name, row["ms"]["median"], row["explained ms"]["median"], row["ratio"]["median"], row["ratio"]["max"]]
        for name, row in costs.items()
    ]
    out.table(["", "ms", "explained ms", "ratio", "worst round"], rows)
