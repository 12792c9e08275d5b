"""Rows of a load generator: requests by name, latencies as a histogram; put together by scenario.

What became of a request stands in its row's name, so that it survives every report a load generator can make:
"/recommend cold", "/recommend cold (shed)".
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KINDS = ("shed", "degraded", "late")
UNTIMED = ("shed", "failed")  # how soon one hears that there is no answer is no latency
JUDGED = "/recommend "  # batches and feedback have rows of their own, which no gate on latency looks at


@dataclass(frozen=True)
class Row:
    """Requests of one name: how many, how many of them failed, and latencies in ms → how often."""

    name: str
    requests: int
    failures: int
    times: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """The rows of one scenario together; percentiles of what was answered, None where nothing was."""

    name: str
    requests: int
    failed: int
    shed: int
    degraded: int
    late: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by scenario: the name without what became of the request."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.name):
        found.setdefault(split(row.name)[0], []).append(row)
    return found


def split(name: str) -> tuple[str, str]:
    """ "/recommend cold (shed)" → "/recommend cold", "shed"; "" where it was simply answered."""
    match = re.fullmatch(rf"(.*) \(({'|'.join({*KINDS, *UNTIMED})})\)", name)
    return (match[1], match[2]) if match else (name, "")


def named(name: str, kind: str) -> str:
    """The other way."""
    return f"{name} ({kind})" if kind in (*KINDS, *UNTIMED) else name


def together(name: str, rows: Iterable[Row]) -> Scenario:
    counts, kinds, times = Counter[str](), Counter[str](), Counter[int]()
    for row in rows:
        kind = split(row.name)[1]
        counts["requests"] += row.requests
        counts["failed"] += row.failures
        kinds[kind] += row.requests
        if kind not in UNTIMED:
            times.update(row.times)
    p50, p95, p99 = (percentile(times, share) for share in (0.5, 0.95, 0.99))
    became = {kind: kinds[kind] for kind in KINDS}
    return Scenario(name, counts["requests"], counts["failed"], **became, p50_ms=p50, p95_ms=p95, p99_ms=p99)


def percentile(times: Mapping[int, int], share: float) -> float | None:
    """The smallest latency that this share of all do not exceed."""
    left = share * sum(times.values())
    for milliseconds in sorted(times):
        left -= times[milliseconds]
        if left <= 1e-9:
            return float(milliseconds)
    return None
