"""What the peer benchmark found: times, ratios within a round, and everything that was pinned."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loadtest.bench.machine import cpu_model
from loadtest.bench.peers_race import Ready, Times
from loadtest.bench.peers_sides import OURS, Peer
from loadtest.bench.workload import Sizes


def summarise(times: Times) -> dict[str, Any]:
    """Per side the median milliseconds of every round; per peer the median and spread of its ratio to ours."""
    medians = {name: [statistics.median(one) / 1e6 for one in rounds] for name, rounds in times.items()}
    ours = medians[OURS.name]
    ratios = {
        name: [theirs / mine for theirs, mine in zip(theirs_all, ours, strict=True)]
        for name, theirs_all in medians.items()
        if name != OURS.name
    }
    return {
        "ratios": {name: statistics.median(values) for name, values in ratios.items()},
        "spread": {name: {"min": min(values), "max": max(values)} for name, values in ratios.items()},
        "ratio_per_round": ratios,
        "ms": {name: statistics.median(values) for name, values in medians.items()},
        "ms_per_round": medians,
    }


def describe(
    sizes: Sizes, ready: Ready, core: int, requests: int, warmup: int, sides: Sequence[Peer]
) -> dict[str, Any]:
    """What was run where: sizes, versions, pinning, and how the sides differ; `summarise` adds the figures."""
    ran = [side for side in sides if side.name in ready]
    return {
        "device": "cpu",
        "cpu": cpu_model(),
        "core": core,
        "threads": 1,
        "python": platform.python_version(),
        "versions": {name: said.get("versions", {}) for name, said in ready.items()},
        "sizes": asdict(sizes),
        "parameters": {name: said.get("parameters", {}) for name, said in ready.items()},
        "notes": {name: said["note"] for name, said in ready.items() if said.get("note")},
        "requests_per_round": requests,
        "warmup_requests": warmup,
        "load_average_1m": round(os.getloadavg()[0], 2),
        "valid": "every constrained list checked: distinct items of the catalogue; ours: none of the history",
        "titles": {side.name: side.title for side in ran},
        "kinds": {side.name: side.kind for side in ran},
        "differs": {side.name: side.differs for side in ran},
    }
