"""Samples of a service that behaves, and what a test changes of them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from loadtest.bench.soak.plan import Found
from loadtest.bench.soak.samples import Sample

SAMPLE = Sample(
    at_s=0.0,
    rss_mb=300.0,
    uss_mb=260.0,
    heap_mb=255.0,
    files=11,
    sockets=9,
    callers=40,
    threads=8,
    cpu_s=0.0,
    live_ms=1.0,
    queue_depth=0.0,
    in_flight=1.0,
    cache_mb=8.4,
    cache_entries=3000.0,
    series=720,
    redis_mb=20.0,
    redis_clients=8,
    calls=0,
    failed=0,
)
WARM_S, HOUR_S, EVERY_S = 360.0, 3600.0, 5.0


def sample(**changed: Any) -> Sample:
    return replace(SAMPLE, **changed)


def samples(seed: int = 0, leak_mb_an_hour: float = 0.0, **changed: float) -> list[Sample]:
    """An hour and its warm-up: memory rises while it warms up, then jumps by 60 MB at every reload, with noise.

    `changed`: units by which other figures grow in an hour.
    """
    rng, found = np.random.default_rng(seed), list[Sample]()
    for at in np.arange(0, WARM_S + HOUR_S, EVERY_S).tolist():
        reload = 60.0 if at % 60 < 10 else 0.0
        rss = 350 - 100 * math.exp(-at / 60) + reload + rng.normal(0, 4) + leak_mb_an_hour * at / HOUR_S
        grown = {name: round(getattr(SAMPLE, name) + many * at / HOUR_S) for name, many in changed.items()}
        down = at % 120 < 5  # Redis is away
        found.append(sample(at_s=at, rss_mb=rss, redis_mb=None if down else 20.0, **grown))
    return found


def found(given: list[Sample] | None = None, after: Sample = SAMPLE) -> Found:
    """A run of which nothing bad can be said, with these samples."""
    return Found(samples=samples() if given is None else given, idle=[SAMPLE, after])
