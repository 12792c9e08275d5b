"""Exposures: the record that a user's bucket acted, once per user, experiment, bucket and day."""

import time
from collections.abc import Callable, Collection

from service.experiments.assignment import Assigned
from service.experiments.events import EventLog
from service.experiments.seen import Seen

DAY_S = 86_400
LIMIT = 100_000  # keys remembered, some 30 MB; beyond it the oldest user of the day may be written twice


class Exposures:
    """Writes exposure events to `log`; `clock` gives seconds since the epoch.

    The fields mean what OpenTelemetry calls feature_flag.key (`experiment`), feature_flag.result.variant (`bucket`) and
    feature_flag.context.id (`unit`); feature_flag.result.reason would always be `split`, for nothing else is written.
    """

    def __init__(self, log: EventLog, limit: int = LIMIT, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._seen = Seen(limit)
        self._clock = clock

    def forget(self, units: Collection[str]) -> None:
        """What these units met counts as new from now on."""
        self._seen.forget(lambda key: isinstance(key, tuple) and key[0] in units)

    def record(
        self,
        assigned: Assigned,
        unit: str | None,
        request_id: str,
        tier: str,
        degraded: bool,
        forced_same: bool = False,
    ) -> bool:
        """Write one exposure, unless the day has it already; whether it was written.

        Call it when the experiment acted. Only the hash exposes: a bucket chosen by header, and no part in the
        experiment, never count. `unit` is the digest of the user id, `tier` what was served, `degraded` whether below
        what was asked, `forced_same` whether load or a deadline gave all buckets the same plan.
        """
        if assigned.source != "hash" or unit is None:
            return False
        now = self._clock()
        if not self._seen.is_new((unit, assigned.experiment, assigned.bucket, int(now // DAY_S))):
            return False
        self._log.write(
            {
                "type": "exposure",
                "time": now,
                "request_id": request_id,
                "unit": unit,
                "experiment": assigned.experiment,
                "bucket": assigned.bucket,
                "tier": tier,
                "degraded": degraded,
                "forced_same": forced_same,
            }
        )
        return True
