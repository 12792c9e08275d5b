"""From one core to a billion requests a day, as sums: `promise bench arithmetic` prints what service/README.md shows.

Every input is either measured, with the sentence of loadtest/README.md that says so, or an estimate.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from loadtest.bench.venvs import BenchError

DAY_S, HOUR_S, WEEK_DAYS = 86_400, 3600, 7
MILLION, GB = 1e6, 1e9


COUNTED = "MEMORY USAGE, or the length of a line"


class Input(NamedTuple):
    """`source`: words of loadtest/README.md, COUNTED (on a running service), or "" for an estimate."""

    value: float
    what: str
    source: str = ""


INPUTS: Mapping[str, Input] = MappingProxyType(
    {
        "requests": Input(1e9, "recommendations a day"),
        "peak": Input(2.5, "times the mean, in the busiest minutes"),
        "busy": Input(
            0.7, "share of a core that may be used at the peak; at 0.75 of capacity auto still answers like k50"
        ),
        "service_k50": Input(572, "answers a second and core, k50, encodings known", "572 | 897 | **0.64**"),
        "engine_k10": Input(0.38, "ms a request, k10, batches of 8", "| 10/40 | 8 | 0.38 |"),
        "engine_k50": Input(0.88, "ms a request, k50, batches of 8", "| 50/200 | 8 | 0.88 |"),
        "engine_k200": Input(2.74, "ms a request, k200, batches of 8", "| 200/800 | 8 | 2.74 |"),
        "engine_k1000": Input(9.03, "ms a request, k1000, batches of 8", "| 1000/4000 | 8 | 9.03 |"),
        "service_tiger": Input(236, "answers a second and core at TIGER's size, k50", "| 236 | 274 |"),
        "engine_tiger": Input(274, "of them the engine alone", "| 236 | 274 |"),
        "uniform_1m": Input(1.34, "times the search at 12 k items: 1 M, uniform codes", "| 4.97 | 1.34 ("),
        "uniform_10m": Input(1.73, "the same at 10 M", "**1.73**"),
        "skewed_1m": Input(2.56, "times the search at 12 k items: 1 M, skewed codes", "| 10.1 | 2.56 ("),
        "skewed_10m": Input(5.04, "the same at 10 M", "**5.04**"),
        "items": Input(1e8, "items"),
        "shards": Input(8, "shards of the index, by first code"),
        "overlap": Input(2, "times the beams of one index, because each shard keeps a margin of its own"),
        "call": Input(0.1, "ms of a core for asking a shard"),
        "peak_gb_10m": Input(7.93, "GB at the most with 10 M items, an update included", "| 37 | 7.93 |"),
        "update_10m": Input(3.29, "s for an update of 1 % of 10 M items", "**3.29**"),
        "memory": Input(12_800, "bytes of the encoding that goes to a shard", "takes 12.8 KB"),
        "answer": Input(800, "bytes that come back: 50 leaves with their scores"),
        "users": Input(1e8, "users with a stored history"),
        "daily": Input(2e7, "of them in a day"),
        "history": Input(1624, "bytes of a stored history of 50 items", COUNTED),
        "encoding": Input(2700, "bytes of an encoding in Redis", "2.7 kB in Redis"),
        "redis_gb": Input(24, "GB of a 32 GB server that may be filled"),
        "redis_ops": Input(100_000, "commands a second of one Redis"),
        "experiments": Input(2, "experiments that a user meets in a day"),
        "feedback": Input(0.05, "feedback events a recommendation"),
        "stream": Input(330, "bytes of an event in the stream", COUNTED),
        "kept": Input(200_000, "events that the stream keeps", COUNTED),
        "mark": Input(88, "bytes that say for a week that a feedback was counted", COUNTED),
        "line": Input(566, "bytes of a request's log line", COUNTED),
        "packed": Input(10, "times smaller when compressed"),
        "core_hour": Input(0.04, "dollars an hour for a core with 4 GB"),
        "gpu_rate": Input(2000, "answers a second of a GPU at k50: the aim of `promise bench gpu`, never measured"),
        "gpu_hour": Input(2.5, "dollars an hour for a GPU"),
    }
)


class Row(NamedTuple):
    """A way to answer: answers a second of one core or device, how many of them, dollars a million."""

    what: str
    rate: float
    wanted: float
    dollars: float


class Sums:
    """Everything that follows from the inputs; `given` takes the place of their values.

    Raises:
        BenchError: a name that is no input.
    """

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        if unknown := set(given or {}) - set(INPUTS):
            raise BenchError(f"no input is called {min(unknown)}; there are {', '.join(INPUTS)}")
        self._values = {name: one.value for name, one in INPUTS.items()} | dict(given or {})

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    @property
    def mean(self) -> float:
        """Recommendations a second."""
        return self["requests"] / DAY_S

    @property
    def peak(self) -> float:
        return self.mean * self["peak"]

    def tier_ms(self, tier: str) -> float:
        """Milliseconds of a core a request: the service's at k50, and by how much the engine's differs."""
        return 1000 / self["service_k50"] + self[f"engine_{tier}"] - self["engine_k50"]

    def grown_ms(self, codes: str) -> float:
        """At TIGER's size with all items: the engine's part grows by as much with each decade as from 1 M to 10 M."""
        engine = 1000 / self["engine_tiger"]
        decade = self[f"{codes}_10m"] / self[f"{codes}_1m"]
        return 1000 / self["service_tiger"] - engine + engine * self[f"{codes}_10m"] * decade

    @property
    def sharded_ms(self) -> float:
        """With uniform codes, of all cores that work for a request."""
        shell = 1000 / self["service_tiger"] - 1000 / self["engine_tiger"]
        return shell + (self.grown_ms("uniform") - shell) * self["overlap"] + self["shards"] * self["call"]

    def row(self, what: str, rate: float, hour: float) -> Row:
        wanted = self.peak / (rate * self["busy"])
        return Row(what, rate, wanted, wanted * hour * DAY_S / HOUR_S / (self["requests"] / MILLION))

    def ways(self) -> list[Row]:
        hour = self["core_hour"]
        tiers = [self.row(f"shipped size, {tier}", 1000 / self.tier_ms(tier), hour) for tier in TIERS]
        grown = [self.row(f"TIGER's size, k50, 100 M items, {c} codes", 1000 / self.grown_ms(c), hour) for c in CODES]
        tiger = self.row("TIGER's size, k50, 12 k items", self["service_tiger"], hour)
        shards = self.row(f"the same, uniform, in {self['shards']:.0f} shards", 1000 / self.sharded_ms, hour)
        return [*tiers, tiger, *grown, shards, self.row("shipped size, k50, GPUs", self["gpu_rate"], self["gpu_hour"])]

    def sizes(self) -> dict[str, float]:
        """What else grows, by the name that its line has."""
        events = self["requests"] * self["feedback"] + self["daily"] * self["experiments"]
        decades = self["items"] / 1e7
        whole_gb = self["peak_gb_10m"] * decades
        sent = self["shards"] * (self["memory"] + self["answer"])
        return {
            "mean": self.mean,
            "peak": self.peak,
            "histories_gb": self["users"] * self["history"] / GB,
            "sentinel_users_m": self["redis_gb"] * GB / self["history"] / MILLION,
            "primaries": -(-self["users"] * self["history"] // (self["redis_gb"] * GB)),
            "commands": self.peak * (1 + self["feedback"]) / self["redis_ops"],
            "encodings_gb": self["daily"] * self["encoding"] / GB,
            "marks_gb": self["requests"] * self["feedback"] * WEEK_DAYS * self["mark"] / GB,
            "events_m": events / MILLION,
            "stream_s": self["kept"] / (events / DAY_S),
            "stream_requests": self["kept"] / WEEK_DAYS / (events / self["requests"]),
            "events_gb": events * self["stream"] / GB,
            "lines_gb": self["requests"] * self["line"] / GB,
            "packed_gb": self["requests"] * self["line"] / self["packed"] / GB,
            "whole_gb": whole_gb,
            "shard_gb": whole_gb / self["shards"],
            "update_s": self["update_10m"] * decades,
            "shard_update_s": self["update_10m"] * decades / self["shards"],
            "sent_kb": sent / 1e3,
            "gbit": sent * self.peak * 8 / GB,
        }


TIERS, CODES = ("k10", "k50", "k200", "k1000"), ("uniform", "skewed")
LINES = (
    ("recommendations a second, mean and peak", "{mean:,.0f}, {peak:,.0f}"),
    ("stored histories", "{histories_gb:,.0f} GB: {primaries:.0f} primaries"),
    ("one server (Sentinel) holds", "{sentinel_users_m:.1f} M users"),
    ("commands to Redis at the peak", "{commands:.2f} of what one server does"),
    ("encodings in Redis, for a day", "{encodings_gb:,.0f} GB"),
    ("marks of counted feedback, for a week", "{marks_gb:,.0f} GB"),
    ("events a day", "{events_m:,.0f} M, {events_gb:,.0f} GB"),
    (
        "the stream in Redis remembers them for",
        "{stream_s:,.0f} s; for a week up to {stream_requests:,.0f} requests a day",
    ),
    ("log lines a day, raw and compressed", "{lines_gb:,.0f} GB, {packed_gb:,.0f} GB"),
    ("memory of 100 M items at the most, whole and of a shard", "{whole_gb:.0f} GB, {shard_gb:.0f} GB"),
    ("update of 1 % of 100 M items, whole and of a shard", "{update_s:.0f} s, {shard_update_s:.0f} s"),
    ("between shards, a request and at the peak", "{sent_kb:.0f} kB, {gbit:.0f} Gbit/s"),
)


def lines(sums: Sums) -> list[str]:
    """Both tables, as Markdown."""
    ways = [f"| {way.what} | {way.rate:,.0f} | {way.wanted:,.0f} | {way.dollars:.2f} |" for way in sums.ways()]
    sizes = sums.sizes()
    rest = [f"| {what} | {how.format_map(sizes)} |" for what, how in LINES]
    head = ["| | answers a second and core | cores at the peak | $ a million |", "|---|---:|---:|---:|"]
    return [*head, *ways, "", "| | |", "|---|---|", *rest]


def run_arithmetic(given: Sequence[str], json_output: bool) -> None:
    """Print the tables; `given` are inputs as name=value.

    Raises:
        BenchError: one of them is no such pair.
    """
    try:
        sums = Sums({name: float(value) for name, _, value in (each.partition("=") for each in given)})
    except ValueError:
        raise BenchError("an input is given as name=value, a number") from None
    if json_output:
        sys.stdout.write(json.dumps({"ways": [way._asdict() for way in sums.ways()], "sizes": sums.sizes()}) + "\n")
        return
    for name, one in INPUTS.items():
        sys.stdout.write(f"{name:<14}{sums[name]:>16,.10g}  {one.what}{'' if one.source else ' (estimate)'}\n")
    sys.stdout.write("\n" + "\n".join(lines(sums)) + "\n")
