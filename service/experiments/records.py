"""Events of the log as records: checked once, so that nothing behind this has to doubt a field.

    {"type": "exposure", "time": …, "unit": …, "experiment": …, "bucket": …, "tier": …, "degraded": …,
     "forced_same": …}
    {"type": "feedback", "time": …, "unit": … or null, "assignments": [[experiment, bucket, source], …], "tier": …,
     "event": "click"}

Times are seconds since the epoch. Further fields are welcome and not looked at.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

EVENTS = ("impression", "click", "cart", "purchase", "skip")
NEVER = 2**32 - 1  # no event is this late, in seconds; the first of them is later than 0
_HALF = re.compile("[\ud800-\udfff]")
_TEXT = 512  # characters of a name; longer ones are noise


class Exposure(NamedTuple):
    """A bucket's configuration acted on a unit; `forced_same` if load or a deadline gave all buckets the same tier."""

    second: int
    unit: str
    experiment: str
    bucket: str
    tier: str
    degraded: bool
    forced_same: bool


class Part(NamedTuple):
    """One experiment that a request took part in, and how it got its bucket: hash, header or default."""

    experiment: str
    bucket: str
    source: str


class Feedback(NamedTuple):
    """A unit did something with an answer; no unit if the caller was anonymous."""

    second: int
    unit: str | None
    parts: tuple[Part, ...]
    tier: str
    event: str


def read(event: object) -> Exposure | Feedback | None:
    """The event as a record; None if it is of no known type, or lacks or distorts a field. Never raises."""
    if not isinstance(event, Mapping):
        return None
    if event.get("type") == "exposure":
        return _exposure(event)
    return _feedback(event) if event.get("type") == "feedback" else None


def _exposure(event: Mapping[str, Any]) -> Exposure | None:
    second, flags = _second(event.get("time")), (event.get("degraded"), event.get("forced_same", False))
    texts = [event.get(name) for name in ("unit", "experiment", "bucket", "tier")]
    if second is None or not all(isinstance(flag, bool) for flag in flags) or not all(map(_is_text, texts)):
        return None
    unit, experiment, bucket, tier = map(str, texts)
    return Exposure(second, unit, experiment, bucket, tier, *map(bool, flags))


def _feedback(event: Mapping[str, Any]) -> Feedback | None:
    second, parts = _second(event.get("time")), _parts(event.get("assignments"))
    unit, tier, kind = event.get("unit"), event.get("tier"), event.get("event")
    if second is None or parts is None or not (_is_text(tier) and (unit is None or _is_text(unit))):
        return None
    return Feedback(second, unit, parts, str(tier), str(kind)) if kind in EVENTS else None


def _second(time: object) -> int | None:
    """Whole seconds; None where it is no time."""
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return int(time) if 1 <= time < NEVER else None


def _parts(value: object) -> tuple[Part, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    good = all(isinstance(one, list | tuple) and len(one) == 3 and all(map(_is_text, one)) for one in value)
    return tuple(Part(*one) for one in value) if good else None


def _is_text(value: object) -> bool:
    """Half a surrogate pair is JSON, but no text: no report could be sent with it."""
    return isinstance(value, str) and 0 < len(value) <= _TEXT and not _HALF.search(value)
