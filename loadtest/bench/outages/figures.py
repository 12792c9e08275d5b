"""What an outage cost: from the shots of a run to the figures of its row."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtest.bench import answers
from loadtest.bench.outages.load import Traffic
from loadtest.bench.outages.policy import TRIES
from loadtest.seconds import GOOD, Shot, percentiles_ms

WINDOW_S = 0.5
SLOW, SLOW_MS = 4.0, 30.0  # a window is slow when its median is so many times the healthy one, and so much more


@dataclass(frozen=True)
class Figures:
    """Requests of one run, the events apart. `failed`: no answer after all tries; `wrong`: another list than without
    the fault, and not said to be degraded; `lost`: accepted events that no history has.
    `trouble_s`: from the fault's end to the last request that failed, was degraded, wanted a second try, or fell into
    a slow half second; none: 0.
    """

    requests: int
    failed: int
    again: int
    degraded: int
    wrong: int
    events: int
    accepted: int
    lost: int
    longest_event_s: float
    trouble_s: float
    p99_ms: dict[str, float | None]
    errors: dict[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def figures(
    made: Traffic, shots: Sequence[Shot], lost: int, begin: float, end: float, mended: float | None = None
) -> Figures:
    """`begin` and `end` of the fault in seconds of the run; `mended`: from when recovery is counted, else the end."""
    asked = [shot for shot in shots if made.kind(shot.number) != "event"]
    events = [shot for shot in shots if made.kind(shot.number) == "event"]
    good = [shot for shot in asked if shot.status == GOOD]
    whole = [shot for shot in good if not shot.answer.get("degraded")]
    wrong = answers.different([made.wanted(shot.number) for shot in whole], [shot.answer for shot in whole])
    accepted = [shot for shot in events if shot.status == GOOD]
    healthy = [shot for shot in good if shot.intended < begin]
    return Figures(
        requests=len(asked),
        failed=len(asked) - len(good),
        again=sum(tries(shot) > 1 for shot in good),
        degraded=len(good) - len(whole),
        wrong=len(wrong),
        events=len(events),
        accepted=len(accepted),
        lost=lost,
        longest_event_s=round(max((shot.latency_s for shot in accepted), default=0.0), 2),
        trouble_s=round(trouble_s(asked, events, healthy, end if mended is None else mended), 2),
        p99_ms={
            "before": percentiles_ms(healthy)[2],
            "with": percentiles_ms([shot for shot in good if begin <= shot.intended < end])[2],
            "after": percentiles_ms([shot for shot in good if shot.intended >= end])[2],
        },
        errors=dict(Counter(_error(shot) for shot in asked if shot.status != GOOD)),
    )


def _error(shot: Shot) -> str:
    return f"status {shot.status}" if shot.reply else shot.error


def tries(shot: Shot) -> int:
    return int(shot.reply.headers.get(TRIES, "1")) if shot.reply else 1


def trouble_s(asked: Sequence[Shot], events: Sequence[Shot], healthy: Sequence[Shot], end: float) -> float:
    """Seconds after `end` that the last trouble began."""
    usual_s = statistics.median(shot.latency_s for shot in healthy) if healthy else 0.0
    bar_s = max(SLOW * usual_s, usual_s + SLOW_MS / 1000)
    bad = [shot.intended for shot in (*asked, *events) if shot.status != GOOD or tries(shot) > 1]
    bad += [shot.intended for shot in asked if shot.answer.get("degraded")]
    windows: dict[int, list[Shot]] = {}
    for shot in asked:
        windows.setdefault(int(shot.intended / WINDOW_S), []).append(shot)
    slow = {at for at, those in windows.items() if statistics.median(shot.latency_s for shot in those) > bar_s}
    bad += [shot.intended for at in slow for shot in windows[at]]
    return max((at - end for at in bad), default=0.0) if any(at >= end for at in bad) else 0.0
