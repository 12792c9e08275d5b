"""Events as the service writes them, and experiments to report on."""

from typing import Any

from service.experiments.config import Bucket, Experiment
from service.experiments.report import Outcome, Rate, Report

AB = Experiment("ab", "ab-1", (Bucket("a", 0.5), Bucket("b", 0.5)))


def exposure(unit: str, bucket: str, time: float = 1000.0, tier: str = "k10", **fields: Any) -> dict[str, Any]:
    event = {"type": "exposure", "time": time, "request_id": "r", "unit": unit, "experiment": "ab", "bucket": bucket}
    return event | {"tier": tier, "degraded": False, "forced_same": False} | fields


def feedback(
    unit: str | None, bucket: str, event: str = "click", time: float = 2000.0, source: str = "hash", **fields: Any
) -> dict[str, Any]:
    told = {"type": "feedback", "time": time, "request_id": "r", "unit": unit, "assignments": [["ab", bucket, source]]}
    return told | {"tier": "k10", "item_id": "i", "event": event} | fields


def outcome(report: Report, event: str = "click") -> Outcome:
    return next(one for one in report.outcomes if one.event == event)


def rate(report: Report, bucket: str, event: str = "click") -> Rate:
    return next(one for one in outcome(report, event).rates if one.bucket == bucket)
