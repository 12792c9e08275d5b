"""What came of an open-loop run, second by second: latency, goodput, tiers, refusals, missed deadlines."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from loadtest.client import Reply

GOOD, SHED = 200, 503


@dataclass
class Shot:
    """One arrival; times in seconds from the start of the run. Neither reply nor error: it was skipped."""

    number: int
    intended: float
    sent: float = 0.0
    ended: float = 0.0
    reply: Reply | None = None
    error: str = ""

    @property
    def latency_s(self) -> float:
        """From the intended start."""
        return self.ended - self.intended

    @property
    def status(self) -> int:
        """0 where no reply came."""
        return self.reply.status if self.reply else 0

    @property
    def skipped(self) -> bool:
        return self.reply is None and not self.error

    @property
    def failed(self) -> bool:
        """Neither answered, nor refused with 503 and a Retry-After."""
        shed = self.reply is not None and self.status == SHED and "retry-after" in self.reply.headers
        return not (self.skipped or self.status == GOOD or shed)

    @cached_property
    def answer(self) -> dict[str, Any]:
        """The body of a 200, else nothing."""
        return dict(self.reply.json()) if self.reply and self.status == GOOD else {}

    @property
    def tier(self) -> str:
        return str(self.answer.get("budget", {}).get("tier", "none"))

    def late(self, deadline_s: float, factor: float = 1.0) -> bool:
        """Answered with 200, later than the deadline times `factor`."""
        return self.status == GOOD and self.latency_s > factor * deadline_s


@dataclass(frozen=True)
class Second:
    """The arrivals of one second of a run (`at` = -1: of all of it); latencies in ms of answers with status 200.

    goodput: answers within the deadline (all answers where there is none) a second; late_ms: how late the driver was.
    """

    at: int
    offered: int
    skipped: int
    goodput: float
    shed: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    missed: int
    missed_by_a_fifth: int
    degraded: int
    late_ms: float
    statuses: dict[str, int] = field(default_factory=dict)
    tiers: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def per_second(shots: Sequence[Shot], deadline_s: float | None = None) -> list[Second]:
    """One row per second of intended starts, empty ones included."""
    groups: dict[int, list[Shot]] = {}
    for shot in shots:
        groups.setdefault(int(shot.intended), []).append(shot)
    return [_row(at, groups.get(at, []), deadline_s, 1.0) for at in range(max(groups, default=-1) + 1)]


def total(shots: Sequence[Shot], deadline_s: float | None = None) -> Second:
    """All arrivals in one row."""
    return _row(-1, shots, deadline_s, max((shot.intended for shot in shots), default=1.0))


def _row(at: int, shots: Sequence[Shot], deadline_s: float | None, seconds: float) -> Second:
    good = [shot for shot in shots if shot.status == GOOD]
    missed = [shot for shot in good if deadline_s is not None and shot.late(deadline_s)]
    p50, p95, p99, longest = percentiles_ms(good)
    return Second(
        at=at,
        offered=len(shots),
        skipped=sum(shot.skipped for shot in shots),
        goodput=round((len(good) - len(missed)) / seconds, 1),
        shed=sum(shot.status == SHED and not shot.failed for shot in shots),
        failed=sum(shot.failed for shot in shots),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=longest,
        missed=len(missed),
        missed_by_a_fifth=sum(deadline_s is not None and shot.late(deadline_s, 1.2) for shot in missed),
        degraded=sum(bool(shot.answer.get("degraded")) for shot in good),
        late_ms=round(1000 * max((shot.sent - shot.intended for shot in shots if not shot.skipped), default=0.0), 1),
        statuses=_counts(str(shot.status) for shot in shots if not shot.skipped),
        tiers=_counts(shot.tier for shot in good),
        reasons=_counts(str(shot.answer.get("budget", {}).get("reason")) for shot in good),
    )


def percentiles_ms(shots: Sequence[Shot]) -> tuple[float | None, float | None, float | None, float | None]:
    """The 50th, 95th and 99th percentile of the latencies and the largest; nothing for nothing."""
    if not shots:
        return None, None, None, None
    found = np.percentile([1000 * shot.latency_s for shot in shots], [50, 95, 99, 100], method="higher")
    p50, p95, p99, longest = (round(float(value), 2) for value in found)
    return p50, p95, p99, longest


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


COLUMNS = (
    ("offered", 8),
    ("skipped", 8),
    ("goodput", 9),
    ("shed", 6),
    ("failed", 7),
    ("p50 ms", 8),
    ("p95", 8),
    ("p99", 8),
)
LAST = (("max", 8), ("missed", 7), ("degraded", 9))
HEADER = f"{'second':>6}" + "".join(f"{name:>{width}}" for name, width in (*COLUMNS, *LAST)) + "  tiers\n"


def table(rows: Iterable[Second]) -> str:
    """A line for every row; the last column says how many answers each tier gave."""
    return HEADER + "".join(map(_line, rows))


def _line(row: Second) -> str:
    latencies = (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)
    shown = "".join(f"{'-' if value is None else f'{value:.1f}':>8}" for value in latencies)
    tiers = " ".join(f"{name}:{count}" for name, count in row.tiers.items())
    return (
        f"{'all' if row.at < 0 else row.at:>6}{row.offered:>8}{row.skipped:>8}{row.goodput:>9.1f}{row.shed:>6}"
        f"{row.failed:>7}{shown}{row.missed:>7}{row.degraded:>9}  {tiers}\n"
    )
