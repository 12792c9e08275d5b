"""What a soak is told, and what it finds."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from loadtest.bench.soak.calls import Tally
from loadtest.bench.soak.samples import Sample


@dataclass(frozen=True)
class Plan:
    """Minutes of load that are judged, and of load before them; share of the capacity.

    `every_s`: seconds between two changes, `look_s` between two samples. `fill`: so many users, and as many votes, come
    first; the service remembers no more of either. `rude`: visits a second by clients with bad manners. `capacity`: of
    the mix, 0 measures it three times for `capacity_s`. `down_s`: of Redis, when it is killed. The load goes on until
    `changes` were made.
    """

    minutes: float = 60.0
    warm_minutes: float = 6.0
    load: float = 0.7
    every_s: float = 12.0
    look_s: float = 5.0
    callers: int = 32
    users: int = 5000
    fill: int = 100_000
    rude: float = 1.0
    cache_mb: int = 8
    capacity: float = 0.0
    capacity_s: float = 6.0
    down_s: float = 1.5
    changes: int = 0

    @property
    def warm_s(self) -> float:
        return 60 * self.warm_minutes

    @property
    def seconds(self) -> float:
        """Of load."""
        return 60 * (self.warm_minutes + self.minutes)


@dataclass
class Found:
    """What became of the calls under load; samples, by seconds of load; the idle service before and after it.

    `capacity`, `rate`: calls a second; `busy`, `driver_busy`: shares of a core. `people`: with stored histories at the
    end, `known`: of how many every event was found then. `log`, `told`: lines of the service's log, errors nobody
    expects and those that a change explains; `examples` of both.
    """

    tally: Tally = field(default_factory=Tally)
    samples: list[Sample] = field(default_factory=list)
    idle: list[Sample] = field(default_factory=list)
    capacity: float = 0.0
    rate: float = 0.0
    fill_s: float = 0.0
    busy: float = 0.0
    driver_busy: float = 0.0
    people: dict[str, int] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    slowest_s: dict[str, float] = field(default_factory=dict)
    log: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Everything but the samples, for JSON."""
        tally = self.tally
        named = {f"{kind}: {became}": many for (kind, became), many in sorted(tally.outcomes.items())}
        return {
            "capacity": self.capacity,
            "rate": self.rate,
            "fill_s": self.fill_s,
            "calls": tally.calls,
            "answered": tally.count("answered"),
            "refused": tally.count("refused"),
            "failed": tally.count("failed"),
            "late": sum(tally.late.values()),
            "skipped": tally.skipped,
            "outcomes": named,
            "refusals": dict(tally.refusals),
            "late_by_kind": dict(tally.late),
            "faults": {f"{kind}: {why}": many for (kind, why), many in tally.faults.most_common()},
            "p50_ms": tally.percentile_ms(0.5),
            "p95_ms": tally.percentile_ms(0.95),
            "p99_ms": tally.percentile_ms(0.99),
            "busy": self.busy,
            "driver_busy": self.driver_busy,
            "people": self.people,
            "changes": self.changes,
            "slowest_s": self.slowest_s,
            "log": dict(self.log),
            "told": dict(self.told),
            "examples": self.examples,
        }
