"""Bytes of every kind on a real server's socket: each is answered without an error of ours, or hung up on, in time."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bulk import Bulk
from hypothesis import strategies as st
from redis_server import free_port

PROGRAM = Path(__file__).parents[1] / "fake_service.py"
SILENCE_S = 0.1  # after which nothing more is taken to come
PATIENCE_S = 20.0  # for a connection to end; the server gives a request two seconds to arrive
BODY = b'{"history": ["B000000001"], "k": 3}'
ALIVE = b"GET /health/live HTTP/1.1\r\nHost: made\r\n\r\n"


def asked(body: bytes, *headers: bytes) -> bytes:
    head = b"\r\n".join([b"POST /recommend HTTP/1.1", b"Host: made", b"Content-Type: application/json", *headers])
    return head + b"\r\n\r\n" + body


GOOD = asked(BODY, b"Content-Length: %d" % len(BODY))
ODD = [
    ALIVE,
    GOOD,
    asked(BODY, b"Content-Length: %d" % (len(BODY) - 3)),
    asked(BODY, b"Content-Length: %d" % (len(BODY) + 3)),
    asked(BODY, b"Content-Length: 99999999999999999999"),
    asked(BODY, b"Content-Length: -1"),
    asked(BODY, b"Content-Length: 5", b"Content-Length: 7"),
    asked(BODY, b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked"),
    asked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), b"Transfer-Encoding: chunked"),
    asked(b"zz\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    asked(b"-5\r\n{}\r\n", b"Transfer-Encoding: chunked"),
    asked(b"ffffffffffffffffffff\r\n{}", b"Transfer-Encoding: chunked"),
    asked(b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", b"Transfer-Encoding: chunked"),
    asked(b"2\n{}\n0\n\n", b"Transfer-Encoding: chunked"),
    asked(BODY, b"Transfer-Encoding: gzip, chunked"),
    asked(BODY, b"Expect: 100-continue", b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"Upgrade: websocket", b"Connection: Upgrade", b"Content-Length: %d" % len(BODY)),
    asked(BODY, *(b"X-%d: y" % number for number in range(500)), b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"X-Long: " + b"y" * 80_000, b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"X-Folded: a\r\n b", b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"X-Zero: a\x00b", b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"X-Latin: \xff\xfe", b"Content-Length: %d" % len(BODY)),
    asked(BODY, b": no name", b"Content-Length: %d" % len(BODY)),
    asked(BODY, b"Sp ace: x", b"Content-Length: %d" % len(BODY)),
    b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /\xff\x00 HTTP/1.1\r\nHost: made\r\n\r\n",
    b"GET http://elsewhere/health/live HTTP/1.1\r\nHost: made\r\n\r\n",
    b"GET * HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: made\r\n\r\n",
    b"CONNECT made:80 HTTP/1.1\r\nHost: made\r\n\r\n",
    b"GET /health/live HTTP/1.0\r\n\r\n",
    b"GET /health/live HTTP/9.9\r\n\r\n",
    b"GET /health/live\r\n\r\n",
    b"BREW /recommend HTTP/1.1\r\nHost: made\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # how TLS begins
    b"\r\n\r\n",
    b"\x00" * 64,
]
STATUS = re.compile(rb"(?:^|(?<=[}\n]))HTTP/1\.1 (\d{3})")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server in a process of its own; that process said nothing of an error in the end."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(port), "0", "0"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PROMISE_READ_TIMEOUT_S": "2"},
        )
    try:
        _until_it_answers(port, process)
        yield port
        assert process.poll() is None, log.read_text()[-2000:]
        _until_it_answers(port, process)
    finally:
        process.terminate()
        process.wait(30)
    said = log.read_text()
    assert "Traceback" not in said, said[-4000:]
    assert '"unhandled"' not in said


def test_no_bytes_on_the_wire_are_an_error_of_ours(server: int, pytestconfig: pytest.Config) -> None:
    odd = st.sampled_from(ODD)
    cut = st.tuples(odd, st.integers(0, 200)).map(lambda found: found[0][: found[1]])
    turned = st.tuples(odd, st.integers(0, 200), st.binary(min_size=1, max_size=3)).map(_turned)
    streams = st.lists(odd | odd | turned | cut | st.binary(max_size=30), min_size=1, max_size=4)
    pieces = st.lists(st.integers(1, 200), max_size=3)

    def check(found: tuple[list[bytes], list[int]]) -> None:
        stream, cuts = found
        answer = exchange(server, b"".join(stream), cuts)
        for status in STATUS.findall(answer):
            assert status in KNOWN, (status, answer[-600:])

    Bulk(pytestconfig)(20, 0.03, st.tuples(streams, pieces), check)


KNOWN = (b"100", b"200", b"204", b"400", b"404", b"405", b"408", b"413", b"415", b"422", b"431")


def test_after_odd_requests_the_next_connection_is_served(server: int) -> None:
    with ThreadPoolExecutor(len(ODD)) as pool:
        for answer in pool.map(lambda odd: exchange(server, odd, []), ODD):
            assert all(status in KNOWN for status in STATUS.findall(answer)), answer[:600]
    assert b"200 OK" in exchange(server, ALIVE, [])


def exchange(port: int, stream: bytes, cuts: list[int]) -> bytes:
    """Send the bytes in pieces, then close that half; all that comes back until the server ends the connection."""
    received, deadline = b"", time.monotonic() + PATIENCE_S
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as link:
        link.settimeout(SILENCE_S)
        try:
            for piece in _pieces(stream, cuts):
                link.sendall(piece)
            received = _read(link, deadline)
            with contextlib.suppress(OSError):  # it has hung up on us
                link.shutdown(socket.SHUT_WR)
            link.settimeout(PATIENCE_S)
            return received + _read(link, deadline)
        except ConnectionError:
            return received


def _read(link: socket.socket, deadline: float) -> bytes:
    """Until the other side ends, or is silent for as long as the socket waits."""
    received, waits = b"", link.gettimeout()
    while time.monotonic() < deadline:
        try:
            some = link.recv(1 << 16)
        except TimeoutError:
            if waits == SILENCE_S:
                return received
            raise
        if not some:
            return received
        received += some
    raise TimeoutError("the server neither answers nor hangs up")


def _pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    for cut in cuts:
        yield stream[:cut]
        stream = stream[cut:]
    yield stream


def _turned(found: tuple[bytes, int, bytes]) -> bytes:
    text, place, put = found
    return text[:place] + put + text[place + len(put) :]


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            if b"200 OK" in exchange(port, ALIVE, []):
                return
        except ConnectionRefusedError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server does not answer")
