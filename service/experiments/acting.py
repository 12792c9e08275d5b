"""Which experiments acted on a request: the others are no exposure, whatever the assignment says."""

from collections.abc import Callable

from service.experiments.assignment import Assignments
from service.experiments.config import Experiments
from service.experiments.exposures import Exposures

FORCED = frozenset({"load", "deadline", "frozen", "expired"})  # reasons for a tier that no bucket had a say in


class Acting:
    """Writes an exposure for every experiment that could have acted; `experiments` are those in force, `unit` digests
    user ids, `count` is told experiment and bucket of what was written.

    Whether one counts depends on what any of its buckets changes, never on the bucket at hand: else the arms would
    be counted by different rules. An experiment that changes nothing (an A/A test) always acts.
    """

    def __init__(
        self,
        experiments: Callable[[], Experiments],
        exposures: Exposures,
        unit: Callable[[str], str | None],
        count: Callable[[str, str], None],
    ) -> None:
        self._experiments, self._exposures, self._unit, self._count = experiments, exposures, unit, count

    def expose(
        self,
        assignments: Assignments,
        closed: frozenset[str],
        user_id: str,
        request_id: str,
        tier: str,
        reason: str,
        degraded: bool,
    ) -> None:
        """Once an answer was made; `closed`: settings that the caller chose, so that no bucket could."""
        unit, known = self._unit(user_id), self._experiments()
        for assigned in assignments.all:
            experiment = known.named(assigned.experiment)
            if experiment is None or (experiment.settings and experiment.settings <= closed):
                continue
            if self._exposures.record(assigned, unit, request_id, tier, degraded, reason in FORCED):
                self._count(assigned.experiment, assigned.bucket)
