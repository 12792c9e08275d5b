"""Refusals as bytes: a line in the log for the first of them, then only their number."""

import json
from io import StringIO

import pytest
from fake_service import made_runtime

from service.api.refusals import LOGGED, Refusals
from service.app import create_app
from service.errors import OverloadedError


@pytest.mark.parametrize("given", [b"mine", b"two words", b""])
def test_every_one_is_whole_and_counted_and_the_log_stays_short(given: bytes) -> None:
    log = StringIO()
    runtime = made_runtime(log=log)
    refusals = Refusals(create_app(runtime).state.promise)
    scope = {"headers": [(b"x-request-id", given)], "method": "POST"}
    for _ in range(LOGGED + 5):
        text = refusals.response(OverloadedError("Full.", 2), scope, "/recommend", [(b"date", b"now")], close=True)
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    told = json.loads(body)
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert {"date: now", "retry-after: 2", f"content-length: {len(body)}", "connection: close"} < set(lines)
    assert f"x-request-id: {told['request_id']}" in lines
    assert (told["request_id"] == "mine") == (given == b"mine")
    refusals.tell()
    refusals.tell()
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [one["error"] for one in events if one["event"] == "request"] == ["overloaded"] * LOGGED
    assert [(one["status"], one["requests"]) for one in events if one["event"] == "refused"] == [(503, 5)]
    counted = {"bucket": "default", "status": "503"}
    assert runtime.metrics.registry.get_sample_value("promise_requests_total", counted) == LOGGED + 5
