"""From exposure and feedback events to the report of an experiment.

A unit counts once: in the bucket it was exposed to, with an outcome for every event type it showed at or after its
first exposure. Feedback counts where the hash chose the bucket, never under a header override. A unit seen in two
buckets of one experiment, as happens when weights or the seed change, is left out and counted.
"""

from collections.abc import Collection

from service.experiments.comparison import DEFAULT_METHOD, Method
from service.experiments.config import Experiment
from service.experiments.ledger import Ledger
from service.experiments.records import Exposure, Feedback, read
from service.experiments.report import Report
from service.experiments.summary import summarise
from service.experiments.units import MAX_NAMES

UNIT_LIMIT = 1_000_000


class Tally:
    """Adds events up, in any order; a report costs little at any time and does not read them again.

    Memory: at most 160 bytes for each unit of each experiment, 160 MB at the default limit. Beyond `unit_limit` the
    events of known units still count, those of new ones do not, and the report says so. Not for two threads at once.

    Attributes:
        anonymous: feedback without a unit, which no experiment can use.
        unreadable: events that are of no known type, lack or distort a field, or name one experiment too many.
    """

    def __init__(self, method: Method = DEFAULT_METHOD, unit_limit: int = UNIT_LIMIT) -> None:
        self.method = method
        self.unit_limit = unit_limit
        self.anonymous = 0
        self.unreadable = 0
        self._ledgers: dict[str, Ledger] = {}

    def add(self, event: object) -> None:
        """Count one event of the log (service.experiments.records); whatever it holds, nothing is raised."""
        record = read(event)
        if isinstance(record, Exposure):
            self._expose(record)
        elif isinstance(record, Feedback):
            self._respond(record)
        else:
            self.unreadable += 1

    def forget(self, units: Collection[str]) -> None:
        """Units as if they had never been; how often events came stays counted, which is no one's."""
        for ledger in self._ledgers.values():
            for unit in units:
                ledger.units.forget(unit)

    def report(self, experiment: Experiment) -> Report:
        """What the events say about the experiment; its first bucket is the control."""
        ledger = self._ledgers.get(experiment.name) or Ledger()
        return summarise(ledger, experiment, self.method, self.anonymous, self.unreadable)

    def _expose(self, one: Exposure) -> None:
        ledger = self._ledger(one.experiment)
        if ledger is not None:
            ledger.expose(one, self._full())

    def _respond(self, one: Feedback) -> None:
        if one.unit is None:
            self.anonymous += 1
            return
        for part in one.parts:
            ledger = self._ledger(part.experiment)
            if ledger is not None:
                ledger.respond(one.unit, part, one.tier, one.event, one.second, self._full())

    def _ledger(self, experiment: str) -> Ledger | None:
        if experiment not in self._ledgers:
            if len(self._ledgers) == MAX_NAMES:
                self.unreadable += 1
                return None
            self._ledgers[experiment] = Ledger()
        return self._ledgers[experiment]

    def _full(self) -> bool:
        return sum(len(ledger.units) for ledger in self._ledgers.values()) >= self.unit_limit
