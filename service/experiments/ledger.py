"""What the log says about one experiment, added up."""

from collections import Counter

from service.experiments.records import EVENTS, Exposure, Part
from service.experiments.units import Units

HASH = "hash"  # the only source of a bucket that is an experiment


class Ledger:
    """Units and their outcomes, and events by bucket and tier.

    Attributes:
        units: state of every unit.
        exposures, feedback: events by (bucket, tier). An event that was written twice counts twice here.
        degraded, forced_same: exposures with that mark, by bucket.
        overridden: feedback under a header override, which counts nowhere else.
        refused: events left out because a limit is reached.
        since, until: seconds of the first and the last exposure.
    """

    def __init__(self) -> None:
        self.units = Units()
        self.exposures: Counter[tuple[str, str]] = Counter()
        self.feedback: Counter[tuple[str, str]] = Counter()
        self.degraded: Counter[str] = Counter()
        self.forced_same: Counter[str] = Counter()
        self.overridden = 0
        self.refused = 0
        self.since: int | None = None
        self.until: int | None = None

    def expose(self, one: Exposure, full: bool) -> None:
        """Count an exposure; when `full`, only of a unit that is known."""
        if not self._admits(one.unit, full) or not self.units.expose(one.unit, one.bucket, one.tier, one.second):
            self.refused += 1
            return
        self.exposures[one.bucket, one.tier] += 1
        self.degraded[one.bucket] += one.degraded
        self.forced_same[one.bucket] += one.forced_same
        self.since = min(one.second, one.second if self.since is None else self.since)
        self.until = max(one.second, one.second if self.until is None else self.until)

    def respond(self, unit: str, part: Part, tier: str, event: str, second: int, full: bool) -> None:
        """Count feedback of one of EVENTS; when `full`, only of a unit that is known."""
        if part.source != HASH:
            self.overridden += 1
        elif self._admits(unit, full) and self.units.respond(unit, part.bucket, event, second):
            self.feedback[part.bucket, tier] += 1
        else:
            self.refused += 1

    def cells(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """By (bucket, tier of the first exposure): exposed units, then how many of them have each of EVENTS."""
        found: dict[tuple[str, str], list[int]] = {}
        for group, units in self.units.groups.items():
            if units:
                cell = found.setdefault((group.bucket, group.tier), [0] * (1 + len(EVENTS)))
                cell[0] += units
                for i in range(len(EVENTS)):
                    cell[1 + i] += units if group.outcomes >> i & 1 else 0
        return {place: tuple(cell) for place, cell in sorted(found.items())}

    def _admits(self, unit: str, full: bool) -> bool:
        return not full or unit in self.units
