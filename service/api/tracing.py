"""Spans of one answer, under the request's span that the framework opened; nothing where it opened none."""

import time
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from starlette.types import Scope

from service.api.context import RequestContext
from service.recommender import Answer

TRACER = "promise"
PROBES = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics")


def telemetry(on: bool) -> TelemetryConfig:
    """What the framework is to record: a span per request that is no probe, exported as the OTEL_ variables say.

    Neither its metrics (there are our own) nor its logs, which would hold what callers sent.
    """
    return TelemetryConfig(
        tracing=on, metrics=False, logs=False, operation_spans=False, auto_configure=on, exclude=_is_probe
    )


def _is_probe(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in PROBES


def trace_answer(answer: Answer, context: RequestContext) -> None:
    """What was decided as attributes, every stage as a span.

    The durations are measured; the starts are not: stages are laid end to end, the last one ending now.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return
    choice = answer.choice
    span.set_attributes(
        {
            "promise.bucket": context.bucket,
            "promise.tier": choice.tier,
            "promise.reason": choice.reason,
            "promise.cache": answer.cache,
            "promise.batch": answer.batch,
            "promise.degraded": answer.degraded or "",
            "promise.model": answer.served.tag,
        }
    )
    tracer = trace.get_tracer(TRACER)
    at = time.time_ns() - sum(map(_nanoseconds, answer.seconds.values()))
    for stage, seconds in answer.seconds.items():
        stage_span = tracer.start_span(f"promise.{stage}", start_time=at)
        at += _nanoseconds(seconds)
        stage_span.end(at)


def entry_span() -> AbstractContextManager[object]:
    """A span of its own for an entry of a batch, where the batch has one."""
    if not trace.get_current_span().is_recording():
        return nullcontext()
    return trace.get_tracer(TRACER).start_as_current_span("promise.entry")


def trace_id() -> str | None:
    """The id of the trace this request belongs to, if it is traced."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else None


def conceal(scope: Scope) -> None:
    """Take out of the request's span what may hold a user id: a path that is no route's template, and any query."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute("url.path", template(scope))
    if scope.get("query_string"):
        span.set_attribute("url.query", "")


def template(scope: Scope) -> str:
    """The path of the route that answers, its parameters unfilled; `unmatched` while or where there is none."""
    return getattr(scope.get("route"), "path_format", "unmatched")


def _nanoseconds(seconds: float) -> int:
    return round(1e9 * seconds)
