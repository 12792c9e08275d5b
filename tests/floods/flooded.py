"""The service in this process, on a thread and a port of its own, and raw sockets to overrun it with."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from fake_service import SlowEngine, made_model, made_runtime
from made import made_catalogue

from loadtest.client import request
from service.api.house import House
from service.api.pulse import Pulse
from service.api.schemas.common import Problem
from service.app import create_app
from service.greeting import Greeting
from service.runtime import Runtime
from service.search.trie import build
from service.server import DrainingServer, ears, server_of

ASK = {"history": ["B000000001", "B000000002"], "budget": "floor"}
OWN: dict[str, Any] = {"drain_s": 0, "cache_mb": 0, "request_timeout_ms": 60_000}
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Flooded:
    """`engine.seconds`: how long the encoder takes from now on."""

    runtime: Runtime
    server: DrainingServer
    engine: SlowEngine
    port: int

    @property
    def house(self) -> House:
        return self.server.house

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def ask(self, **body: Any) -> "Answer":
        with self.connect() as plug:
            plug.sendall(recommend(**body))
            return answer(plug)

    def count(self, name: str) -> float:
        """A figure of /metrics; 0 where it is not there."""
        with self.connect() as plug:
            plug.sendall(request("GET", "/metrics"))
            lines = answer(plug).body.decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self, status: int, slug: str) -> dict[str, Any]:
        """The problem document that this must be."""
        found: dict[str, Any] = json.loads(self.body)
        assert (self.status, found["type"], found["status"]) == (status, f"/problems/{slug}", status)
        Problem.model_validate(found)
        assert self.headers["content-type"] == "application/problem+json"
        assert found["request_id"] == self.headers["x-request-id"]
        assert self.headers["cache-control"] == "no-store"
        return found


@contextmanager
def flooded(**settings: Any) -> Iterator[Flooded]:
    """Started; ended at the end. Its loop is never late: a busy machine must not refuse what a test expects."""
    made = made_catalogue()
    engine = SlowEngine(build(made.sids))
    runtime = made_runtime(made_model(made, engine), host="127.0.0.1", port=0, **(OWN | settings))
    server = server_of(runtime, create_app(runtime), Greeting(runtime.settings))
    with ExitStack() as opened:
        opened.enter_context(pytest.MonkeyPatch.context()).setattr(Pulse, "behind_s", 0.0)
        sockets = ears(opened, "127.0.0.1", 0)
        running = threading.Thread(target=server.run, args=(sockets,))
        running.start()
        try:
            until(lambda: server.started)
            yield Flooded(runtime, server, engine, sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            running.join()


def until(true: Any, patience_s: float = PATIENCE_S) -> None:
    """Wait for it."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def recommend(headers: dict[str, str] | None = None, **body: Any) -> bytes:
    return request("POST", "/recommend", json.dumps(ASK | body).encode(), headers)


def answer(plug: socket.socket) -> Answer:
    """The next one on this connection.

    Raises:
        EOFError: the other side closed instead.
    """
    text = b""
    while b"\r\n\r\n" not in text:
        text += _more(plug)
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(plug)
    return Answer(int(first.split()[1]), headers, body)


def closed(plug: socket.socket) -> bool:
    """Whether the other side closes without another word; waits for it."""
    with suppress(ConnectionResetError):
        return plug.recv(1) == b""
    return True


def _more(plug: socket.socket) -> bytes:
    data = plug.recv(1 << 16)
    if not data:
        raise EOFError
    return data
