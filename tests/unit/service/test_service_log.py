"""Log lines: one JSON object each, also from the standard library's loggers."""

import json
import logging
from io import StringIO

import pytest

from service.observability.logging import open_logger, route_server_log

pytestmark = pytest.mark.usefixtures("root_logger")


def test_an_event_is_one_json_line() -> None:
    stream = StringIO()
    open_logger("json", stream).info("request", status=200, weird="\n\ud800")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert (fields["event"], fields["level"], fields["status"]) == ("request", "info", 200)
    assert fields["timestamp"].endswith("Z")


def test_below_info_is_silent() -> None:
    stream = StringIO()
    open_logger("json", stream).debug("detail")
    assert stream.getvalue() == ""


def test_the_servers_own_log_speaks_the_same_way() -> None:
    stream = StringIO()
    route_server_log("json", stream)
    logging.getLogger("uvicorn.error").info("Listening on %s", "port 1")
    fields = json.loads(stream.getvalue())
    assert (fields["event"], fields["level"]) == ("Listening on port 1", "info")


def test_the_console_form_is_for_people() -> None:
    stream = StringIO()
    open_logger("console", stream).info("request", status=200)
    assert "request" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
