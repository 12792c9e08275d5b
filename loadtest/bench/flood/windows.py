"""What honest callers got in a part of a run, and how soon all was well again."""

import math
from dataclasses import dataclass

import numpy as np

from loadtest.bench.flood.lean import Fired
from loadtest.seconds import GOOD, SHED

LATE_MS, BUSY, UNSENT = 20.0, 0.9, 0.001
TROUBLED = 0.02


@dataclass(frozen=True)
class Window:
    """Rates a second; latencies in ms of answers with status 200, from the intended start, None where there were none.

    `failed`: neither answered nor refused. `lowered`: share of the answers by a tier that the load had lowered.
    """

    offered: float
    goodput: float
    refused: float
    late: float
    failed: int
    lowered: float
    p50_ms: float | None
    p99_ms: float | None


def window(fired: Fired, begin: float, end: float, deadline_s: float) -> Window:
    """Of the arrivals in begin ≤ t < end seconds."""
    inside, seconds = (fired.intended >= begin) & (fired.intended < end), end - begin
    good, shed = inside & (fired.status == GOOD), inside & (fired.status == SHED)
    latencies = fired.latency_s[good]
    timely = int((latencies <= deadline_s).sum())
    p50, p99 = np.percentile(1000 * latencies, [50, 99]).tolist() if len(latencies) else (None, None)
    return Window(
        offered=float(inside.sum()) / seconds,
        goodput=timely / seconds,
        refused=float(shed.sum()) / seconds,
        late=(int(good.sum()) - timely) / seconds,
        failed=int((inside & ~good & ~shed).sum()),
        lowered=float(fired.lowered[good].mean()) if good.any() else 0.0,
        p50_ms=p50,
        p99_ms=p99,
    )


def recovery_s(fired: Fired, before: float, begin: float, end: float, deadline_s: float) -> int | None:
    """Whole seconds from `begin` until every later one is calm; None: never.

    Calm: no more than one in fifty refused, late or failed, and no larger share lowered by load than in the seconds
    before the flood (0 ≤ t < `before`), give or take a tenth.
    """
    usual = window(fired, 0.0, before, deadline_s).lowered
    for second in reversed(range(math.floor(end - begin))):
        found = window(fired, begin + second, begin + second + 1, deadline_s)
        troubled = found.refused + found.late + found.failed > TROUBLED * found.offered
        if troubled or found.lowered > usual + 0.1:
            return None if begin + second + 1 >= math.floor(end) else second + 1
    return 0


def limited(fired: Fired) -> str:
    """Why the driver, and not the service, made these figures; empty: it did not."""
    if fired.unsent > UNSENT * len(fired.intended):
        return f"{fired.unsent} arrivals found no free connection"
    if fired.late_ms > LATE_MS:
        return f"the driver was {fired.late_ms:.0f} ms late"
    return f"the driver used {fired.busy:.0%} of its core" if fired.busy > BUSY else ""
