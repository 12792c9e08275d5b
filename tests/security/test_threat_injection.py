"""What callers send ends no line of the log and adds no header; two readings of one request are not possible."""

import json
import re
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from planted import requests
from tiny import Bundles

from loadtest.bench.service import Service
from service.api.middleware import METHODS

CATALOGUE = made_catalogue()
EVIL = 'x\r\nX-Evil: 1\r\n\r\n{"event": "forged"}\x1b[2J\x9b31m\u2028\u202e'


@pytest.fixture(scope="module")
def log() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def client(log: StringIO) -> Iterator[Client]:
    runtime = made_runtime(made_model(CATALOGUE), log, admin_token="a-token-of-the-admin")
    with Client(runtime) as opened:
        yield opened


def test_a_line_of_the_log_is_one_event_whatever_was_sent(client: Client, log: StringIO) -> None:
    sent = 0
    for method, path, rest in requests(EVIL, CATALOGUE.ids[0]):
        rest["headers"] = {name: value.encode() for name, value in rest.get("headers", {}).items()}
        response = client.call(method, path, **rest)
        sent += 1
        assert "x-evil" not in response.headers
        assert "\n" not in str(response.headers.get("x-request-id"))
        assert len(response.headers["x-request-id"]) == 32
    lines = log.getvalue().split("\n")
    events = [json.loads(line)["event"] for line in lines if line]
    assert len(events) > sent - 3, "probes have no line"
    assert set(events) == {"request"}
    assert log.getvalue().replace("\n", "").isprintable()


def test_what_names_a_line_or_a_series_is_a_closed_set(client: Client, log: StringIO) -> None:
    log.truncate(0)
    for method in ("GET\tX", "FORGED", "x" * 500):
        client.call(method, "/recommend")
    lines = [json.loads(line.lstrip("\x00")) for line in log.getvalue().splitlines()]
    assert {line["method"] for line in lines} <= METHODS | {"other"}
    assert {line["route"] for line in lines} <= {"/recommend", "unmatched"}


@pytest.fixture(scope="module")
def service(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("injection")
    with Service(folder / "log", bundle=bundles.inner, read_timeout_s=2) as running:
        yield running


def spoken(service: Service, raw: bytes) -> bytes:
    """What comes back to these bytes until the service closes the connection or has nothing more to say."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while more := connection.recv(65536):
            found += more
    return found


HEAD = b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HIDDEN = b"GET /admin/bundles HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = {
    "both lengths": HEAD + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 44\r\n\r\n{}" + HIDDEN,
    "a list of lengths": HEAD + b"Content-Length: 2, 44\r\n\r\n{}" + HIDDEN,
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "a coding that is none": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a space before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}" + HIDDEN,
    "a chunk of no number": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a null in a header": HEAD + b"X-A: \x00\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a bare line feed in a name": HEAD + b"X-A\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_with_two_readings_is_refused_and_the_connection_closed(service: Service, name: str) -> None:
    answer = spoken(service, SMUGGLED[name])
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]
    assert 400 in statuses, answer[:300]
    assert b"admin-disabled" not in answer, "the hidden request was answered"


def test_the_real_log_stays_one_event_a_line(service: Service) -> None:
    spoken(service, b"GET /\x1b[2J\r\n HTTP/1.1\r\nHost: x\r\n\r\n")
    spoken(
        service, b"GET /a%0Aforged%1B%5B2J?x=%0A HTTP/1.1\r\nHost: x\r\nUser-Agent: a\tb\r\nConnection: close\r\n\r\n"
    )
    text = Path(service._log).read_text()
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    assert "\x1b" not in text
    assert "forged" not in text
