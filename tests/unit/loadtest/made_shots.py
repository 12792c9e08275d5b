"""Arrivals of an open-loop run that never ran: what came back is made up."""

import json
from typing import Any

from loadtest.client import Reply
from loadtest.seconds import Shot


def answered(intended: float, latency_s: float = 0.01, tier: str = "k50", reason: str = "best", **body: Any) -> Shot:
    said = {"budget": {"tier": tier, "reason": reason}, "degraded": False, **body}
    return Shot(0, intended, intended, intended + latency_s, Reply(200, {}, json.dumps(said).encode()))


def shed(intended: float, retry_after: str | None = "1") -> Shot:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Shot(0, intended, intended, intended + 0.001, Reply(503, headers, b"{}"))


def broken(intended: float) -> Shot:
    return Shot(0, intended, intended, intended + 0.001, error="the connection was lost.")


def skipped(intended: float) -> Shot:
    return Shot(0, intended)


def listing(*items: tuple[str, float]) -> dict[str, Any]:
    return {"items": [{"item_id": item, "score": score} for item, score in items]}
