"""Ten times the capacity in an open loop, beside the best the same service does at any load, and the way back."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest import open_loop
from loadtest.bench.flood import lean as flood_lean
from loadtest.bench.flood.core import watched
from loadtest.bench.flood.windows import Window, limited, recovery_s, window
from loadtest.bench.output import spread
from loadtest.bench.service import Service
from loadtest.open_loop import Step

FACTORS = (1.5, 2.0, 3.0, 4.0)
TEN, CALM, LANES = 10.0, 0.5, 1024
WARM_S, BEFORE_S, AFTER_S, PAUSE_S = 1.0, 5.0, 14.0, 1.0
SHARE, RECOVERY_S = 0.9, 10


@dataclass(frozen=True)
class Flood:
    """What is sent: `rounds` of loads of so many seconds, as multiples of `capacity` requests a second."""

    bodies: Sequence[bytes]
    capacity: float
    seconds: float
    rounds: int
    deadline_s: float
    seed: int


@dataclass(frozen=True)
class Cell:
    """One load, once. `others`: share of the service's core that other processes had meanwhile."""

    window: Window
    others: float

    @property
    def rate(self) -> float:
        """Answers in time a second, had the service had its core alone."""
        return self.window.goodput / (1 - self.others)


def overload(service: Service, cores: Sequence[int], flood: Flood) -> dict[str, Any]:
    """All loads in turns, round by round, then from half of the capacity to ten times that and back.

    `ratio`: the rate at ten times the capacity over the best of the other loads of the same round.
    """
    found: dict[float, list[Cell]] = {}
    told = list[str]()
    for number in range(flood.rounds):
        for factor in (*FACTORS, TEN):
            times = open_loop.arrivals([Step(factor * flood.capacity, flood.seconds)], seed=flood.seed + number)
            time.sleep(PAUSE_S)
            with watched(service, cores) as had:
                fired = flood_lean.fire(service.port, flood.bodies, times, LANES)
            cell = Cell(window(fired, WARM_S, flood.seconds, flood.deadline_s), had.others)
            found.setdefault(factor, []).append(cell)
            told += [f"at {factor:g}×: {why}" for why in (limited(fired),) if why]
            told += [f"{fired.unclear} refusals that say nothing"] * bool(fired.unclear)
    flooded = [cell.window for cell in found[TEN]]
    ratios = [one.rate / max(found[factor][turn].rate for factor in FACTORS) for turn, one in enumerate(found[TEN])]
    row = {
        "ratio": spread(ratios),
        "rates": {factor: statistics.median(one.rate for one in several) for factor, several in found.items()},
        "goodput": {f: statistics.median(one.window.goodput for one in several) for f, several in found.items()},
        "others": statistics.median(one.others for several in found.values() for one in several),
        "refused": statistics.median(one.refused for one in flooded),
        "p99_ms": statistics.median(one.p99_ms or float("inf") for one in flooded),
        "failed": sum(one.window.failed for several in found.values() for one in several),
        "recovery_s": _back(service, flood),
        "limited": told,
        "cells": {factor: [asdict(one) for one in several] for factor, several in found.items()},
    }
    return row | {"wrong": _wrong(row, flood.deadline_s)}


def _back(service: Service, flood: Flood) -> int | None:
    calm = CALM * flood.capacity
    steps = [Step(calm, BEFORE_S), Step(TEN * flood.capacity, flood.seconds), Step(calm, AFTER_S)]
    time.sleep(AFTER_S)  # what the last flood left behind is no part of what is usual
    fired = flood_lean.fire(service.port, flood.bodies, open_loop.arrivals(steps, seed=flood.seed), LANES)
    begin = BEFORE_S + flood.seconds
    return recovery_s(fired, BEFORE_S, begin, begin + AFTER_S, flood.deadline_s)


def _wrong(row: dict[str, Any], deadline_s: float) -> list[str]:
    """Which bars were missed."""
    found = list[str](row["limited"])
    if row["ratio"]["median"] < SHARE:
        found.append(f"goodput at {TEN:g}× is {row['ratio']['median']:.0%} of the best at any load")
    if row["p99_ms"] > 1000 * deadline_s:
        found.append(f"the p99 of the admitted is {row['p99_ms']:.0f} ms")
    if row["recovery_s"] is None or row["recovery_s"] >= RECOVERY_S:
        found.append(f"recovery took {row['recovery_s']} s")
    if row["failed"]:
        found.append(f"{row['failed']} requests were neither answered nor refused")
    return found
