"""Spans of requests, on demand; the SDK's exporter in memory stands in for a collector."""

import json
from collections.abc import Iterator
from io import StringIO

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CATALOGUE = made_catalogue()
HISTORY = list(CATALOGUE.ids[:5])
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture(autouse=True)
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The process's tracer provider, for the time of one test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def log() -> StringIO:
    return StringIO()


@pytest.fixture
def client(log: StringIO) -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE), log, traces=True)) as opened:
        yield opened


def _root(exporter: InMemorySpanExporter) -> ReadableSpan:
    (root,) = (span for span in exporter.get_finished_spans() if span.kind is trace.SpanKind.SERVER)
    return root


def test_a_request_is_a_span_with_a_span_for_every_stage(client: Client, exporter: InMemorySpanExporter) -> None:
    body = client.recommend(PARENT, history=HISTORY, user_id="somebody", budget="k20").json()
    root = _root(exporter)
    assert root.name == "POST /recommend"
    assert root.parent is not None
    assert trace.format_trace_id(root.context.trace_id) == TRACE
    assert root.attributes is not None
    assert (root.attributes["promise.tier"], root.attributes["promise.cache"]) == ("k20", "miss")
    stages = [span for span in exporter.get_finished_spans() if span is not root]
    assert {span.name for span in stages} == {f"promise.{name}" for name in body["timings_ms"] if name != "total"}
    for span in stages:
        assert span.parent is not None
        assert span.parent.span_id == root.context.span_id
        assert root.start_time is not None
        assert span.start_time is not None
        assert span.end_time is not None
        taken = body["timings_ms"][span.name.removeprefix("promise.")]
        assert (span.end_time - span.start_time) / 1e6 == pytest.approx(taken, abs=0.001)


def test_every_entry_of_a_batch_is_a_span(client: Client, exporter: InMemorySpanExporter) -> None:
    bodies = [{"history": HISTORY, "budget": tier} for tier in ("k10", "k20")]
    client.call("POST", "/recommend/batch", json=bodies)
    root, spans = _root(exporter), exporter.get_finished_spans()
    entries = [span for span in spans if span.name == "promise.entry"]
    assert {(span.attributes or {})["promise.tier"] for span in entries} == {"k10", "k20"}
    assert "promise.tier" not in (root.attributes or {})
    parents = {span.parent.span_id for span in spans if span.parent and span.name == "promise.expand"}
    assert parents == {span.context.span_id for span in entries}


def test_the_log_line_names_the_trace(client: Client, log: StringIO) -> None:
    client.recommend(PARENT, history=HISTORY)
    assert json.loads(log.getvalue().splitlines()[-1])["trace_id"] == TRACE
    client.recommend(history=HISTORY)
    assert len(json.loads(log.getvalue().splitlines()[-1])["trace_id"]) == 32


def test_probes_are_not_traced(client: Client, exporter: InMemorySpanExporter) -> None:
    for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics"):
        client.call("GET", path)
    assert not exporter.get_finished_spans()


def test_nothing_personal_is_exported(client: Client, exporter: InMemorySpanExporter) -> None:
    client.recommend(history=HISTORY, user_id="somebody")
    client.call("DELETE", "/users/somebody")
    client.call("GET", "/user/somebody")
    client.call("GET", "/health/live?user_id=somebody")
    client.call("GET", "/docs?user_id=somebody")
    client.recommend(history=HISTORY, user_id="somebody", k=0)
    exported = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert "DELETE /users/{user_id}" in exported
    assert "somebody" not in exported
    assert HISTORY[0] not in exported


def test_without_the_setting_nothing_is_recorded(exporter: InMemorySpanExporter, log: StringIO) -> None:
    with Client(made_runtime(made_model(CATALOGUE), log)) as client:
        client.recommend(PARENT, history=HISTORY)
    assert not exporter.get_finished_spans()
    assert "trace_id" not in log.getvalue()
