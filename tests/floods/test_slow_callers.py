"""Whoever sends or reads too slowly is told so, or cut off; bodies that nobody will read cost no memory."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flooded import Flooded, answer, closed, flooded, recommend, until

from loadtest.client import request

LIMIT = 1 << 20
HEAD, BODY = recommend().split(b"\r\n\r\n")


@pytest.fixture(scope="module")
def service() -> Iterator[Flooded]:
    with flooded(read_timeout_s=0.5, max_body_bytes=LIMIT) as running:
        yield running


def drip(plug: socket.socket, text: bytes) -> None:
    """Byte by byte, until there is an answer."""
    plug.setblocking(False)
    try:
        for at in range(len(text)):
            plug.send(text[at : at + 1])
            try:
                plug.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                break
    finally:
        plug.settimeout(20)


@pytest.mark.parametrize("first", [b"", HEAD + b"\r\n\r\n"], ids=["head", "body"])
def test_a_request_that_drips_is_told_and_ended(service: Flooded, first: bytes) -> None:
    before = service.count('promise_requests_total{bucket="default",status="408"}')
    with service.connect() as plug:
        plug.sendall(first)
        drip(plug, (HEAD[:-4] + b"X: " + b"x" * 900)[len(first) and 20 :])
        told = answer(plug)
        told.problem(408, "request-timeout")
        assert told.headers["connection"] == "close"
        assert closed(plug)
    assert service.count('promise_requests_total{bucket="default",status="408"}') == before + 1


def test_a_silent_connection_is_not_a_slow_one(service: Flooded) -> None:
    with service.connect() as plug:
        time.sleep(1.7)  # longer than a request may take, and than the time between two sweeps
        plug.sendall(recommend())
        assert answer(plug).status == 200


def test_who_does_not_read_is_cut_off(service: Flooded) -> None:
    with socket.socket() as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plug.settimeout(20)
        plug.connect(("127.0.0.1", service.port))
        plug.sendall(request("GET", "/openapi.json") * 20)
        until(lambda: plug.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or not established(plug))


def established(plug: socket.socket) -> bool:
    return plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1


def test_bodies_of_5_mb_are_refused_and_not_kept(service: Flooded) -> None:
    big = request("POST", "/recommend", b" " * (5 << 20))
    kept = resident_mb()
    for _ in range(10):
        with service.connect() as plug:
            plug.sendall(big[: len(big) // 2])
            told = answer(plug)  # before all of it is there
            told.problem(413, "body-too-large")
    assert resident_mb() < kept + 10


def test_who_asks_before_sending_sends_nothing(service: Flooded) -> None:
    with service.connect() as plug:
        head = request("POST", "/recommend", b" " * (5 << 20), {"Expect": "100-continue"}).split(b"\r\n\r\n")[0]
        plug.sendall(head + b"\r\n\r\n")
        answer(plug).problem(413, "body-too-large")


@pytest.mark.parametrize(
    ("text", "status"),
    [(b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431)],
    ids=["what", "long"],
)
def test_what_is_no_request_is_told(service: Flooded, text: bytes, status: int) -> None:
    with service.connect() as plug:
        plug.sendall(text)
        answer(plug).problem(status, "bad-request")
        assert closed(plug)


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
