"""The verdict on a soak: whether anything failed or came late, and whether what should stay flat did.

Growth compares the last quarter of the time after the warm-up with the first one: by medians, memory by the mean of the
middle 80 % of the samples, because it goes up and down with every reload. The slope (Theil and Sen: the median of all
slopes between two samples) is shown beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.soak.calls import ANSWERED, FAILED
from loadtest.bench.soak.plan import Found
from loadtest.bench.soak.samples import Sample

F64 = NDArray[np.float64]
GROWTH, LATE, SERIES = 0.02, 0.01, 0.05
SPARE = 4  # connections to Redis come and go
MOST_PAIRS = 600  # samples: beyond that every n-th is taken


@dataclass(frozen=True)
class Trend:
    """One figure: at first, at last, and how much it grows in an hour."""

    first: float
    last: float
    per_hour: float

    @property
    def growth(self) -> float:
        """0.02: two hundredths more at last than at first."""
        return self.last / self.first - 1 if self.first else float(self.last > 0)


@dataclass(frozen=True)
class Gate:
    """A promise with what was found: kept as long as `value` is no more than `limit`."""

    name: str
    value: float
    limit: float

    @property
    def kept(self) -> bool:
        return bool(self.value <= self.limit)


def median(values: F64) -> float:
    return float(np.median(values))


def middle(values: F64) -> float:
    """The mean without the smallest and the largest tenth."""
    cut = len(values) // 10
    return float(np.sort(values)[cut : len(values) - cut].mean())


def trend(
    times: Sequence[float], values: Sequence[float | None], warm_s: float, centre: Callable[[F64], float] = median
) -> Trend:
    """Over the samples after the warm-up that have a value; at least four of them."""
    known = [(at, float(value)) for at, value in zip(times, values, strict=True) if at >= warm_s and value is not None]
    if len(known) < 4:
        raise ValueError(f"{len(known)} samples after the warm-up tell nothing")
    at, value = np.array(known).T
    span = at[-1] - at[0]
    first, last = value[at <= at[0] + span / 4], value[at >= at[-1] - span / 4]
    return Trend(centre(first), centre(last), 3600 * slope(at, value))


def slope(at: F64, value: F64) -> float:
    """The median of the slopes between any two samples."""
    step = -(-len(at) // MOST_PAIRS)
    at, value = at[::step], value[::step]
    left, right = np.triu_indices(len(at), 1)
    return float(np.median((value[right] - value[left]) / (at[right] - at[left])))


def trends(samples: Sequence[Sample], warm_s: float) -> dict[str, Trend]:
    """Of everything that is sampled and told often enough."""
    times, found = [one.at_s for one in samples], dict[str, Trend]()
    for name in WATCHED:
        values = [getattr(one, name) for one in samples]
        if sum(value is not None for at, value in zip(times, values, strict=True) if at >= warm_s) >= 4:
            found[name] = trend(times, values, warm_s, middle if name in MEMORY else median)
    return found


MEMORY = ("rss_mb", "uss_mb", "heap_mb")
WATCHED = (
    *MEMORY,
    "files",
    "sockets",
    "callers",
    "threads",
    "live_ms",
    "queue_depth",
    "cache_mb",
    "series",
    "redis_mb",
    "redis_clients",
)


def gates(found: Found, over: Mapping[str, Trend]) -> list[Gate]:
    """Every promise."""
    before, after, tally = found.idle[0], found.idle[-1], found.tally
    files, sockets, threads = over["files"], over["sockets"], over["threads"]
    return [
        Gate("failed calls", tally.count(FAILED), 0),
        Gate("skipped arrivals", tally.skipped, 0),
        Gate("share of answers after their deadline", sum(tally.late.values()) / max(1, tally.count(ANSWERED)), LATE),
        Gate("unexpected errors in the service's log", sum(found.log.values()), 0),
        Gate("growth of resident memory", over["rss_mb"].growth, GROWTH),
        Gate("open files won", files.last - files.first, 0),
        Gate("sockets won, callers apart", sockets.last - sockets.first, SPARE),
        Gate("files and sockets won, load over", after.files + after.sockets - files.first - sockets.first, SPARE),
        Gate("connections kept, load over", after.callers - before.callers, 0),
        Gate("threads won", threads.last - threads.first, 0),
        Gate("growth of the lines of /metrics", over["series"].growth, SERIES),
    ]
