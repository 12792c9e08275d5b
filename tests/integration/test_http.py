"""The service as a process: real sockets, real signals, a fake engine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from made import made_catalogue

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "an-admin-token"
HISTORY = list(made_catalogue().ids[:5])


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def recommend(self, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/recommend", json=body, timeout=30)

    def ready(self) -> int:
        """The status of the readiness probe; 0 where nobody listens."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=10).status_code
        except httpx.TransportError:
            return 0

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(timeout=60)


@contextmanager
def serving(drain_s: float, encode_s: float = 0.0, admin: bool = False) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "error",
        str(ROOT / "tests/fake_service.py"),
        str(port),
        str(drain_s),
        str(encode_s),
        *([ADMIN] if admin else []),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMISE_")}
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    server = Server(process, port)
    try:
        until(lambda: server.ready() == 200 or process.poll() is not None)
        assert process.poll() is None
        yield server
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)


class InFlight:
    """A request that has been sent, its answer not yet read."""

    def __init__(self, server: Server) -> None:
        body = json.dumps({"history": HISTORY}).encode()
        head = f"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self._socket.sendall(head.encode() + b"\r\n\r\n" + body)

    def status(self) -> int:
        with self._socket, self._socket.makefile("rb") as stream:
            return int(stream.readline().split()[1])


def in_flight(server: Server, count: int) -> list[InFlight]:
    """Send `count` requests. A probe answered after them proves that the server has read them."""
    sent = [InFlight(server) for _ in range(count)]
    server.ready()
    return sent


def test_requests_over_one_connection() -> None:
    with serving(drain_s=0) as server, httpx.Client(base_url=server.url) as client:
        answers = [client.post("/recommend", json={"history": HISTORY, "k": 5}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({json.dumps(answer.json()["items"]) for answer in answers}) == 1
        big = client.post("/recommend", content=b" " * (5 << 20), headers={"Content-Type": "application/json"})
        assert (big.status_code, big.headers["content-type"]) == (413, "application/problem+json")
        assert client.post("/recommend", json={}).json()["source"] == "popularity"
        assert "promise_requests_total" in client.get("/metrics").text
        assert "server" not in big.headers


def test_on_sigterm_readiness_flips_first_and_no_request_is_lost() -> None:
    with serving(drain_s=3000, encode_s=0.1) as server, httpx.Client(base_url=server.url, timeout=30) as kept:
        kept.get("/health/live")
        before = in_flight(server, 6)
        server.signal()
        until(lambda: server.ready() == 503)
        during = server.recommend(history=HISTORY)
        assert (during.status_code, during.headers["connection"]) == (200, "close")
        assert kept.post("/recommend", json={}).status_code == 200
        after = in_flight(server, 3)
        server.signal()  # ends the pause: the listener closes
        assert [request.status() for request in before + after] == [200] * 9
        assert server.wait() in (-signal.SIGTERM, 128 + signal.SIGTERM)
        assert server.ready() == 0


def test_the_pause_ends_by_itself() -> None:
    with serving(drain_s=0.3, encode_s=0.1) as server:
        requests = in_flight(server, 3)
        server.signal()
        assert [request.status() for request in requests] == [200] * 3
        server.wait()


def test_an_interrupt_skips_the_pause() -> None:
    with serving(drain_s=3000, encode_s=0.1) as server:
        requests = in_flight(server, 3)
        server.signal(signal.SIGINT)
        assert [request.status() for request in requests] == [200] * 3
        server.wait()


def test_the_log_is_json_and_no_torch_was_imported() -> None:
    with serving(drain_s=0) as server:
        server.recommend(history=HISTORY)
        maps = Path(f"/proc/{server.process.pid}/maps")
        if maps.exists():
            assert "torch" not in maps.read_text()
        server.signal()
        lines = [json.loads(line) for line in server.process.communicate(timeout=60)[0].splitlines()]
        assert [line["status"] for line in lines if line["event"] == "request"] == [200]


def test_importing_everything_that_serves_imports_no_torch() -> None:
    code = (
        "import sys, service.app, service.server, service.cli, service.engine.graphs, service.engine.bundle\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PROMISE_BUDLE": "x"}, "PROMISE_BUNDLE"),
        ({"PROMISE_PORT": "http"}, "PROMISE_PORT"),
        ({"PROMISE_BUNDLE": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
@pytest.mark.parametrize("program", [["-m", "service"], ["-c", "from service.cli import main; main()", "serve"]])
def test_what_forbids_a_start_is_one_sentence_and_exit_code_2(
    program: list[str], variables: dict[str, str], named: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMISE_")} | variables
    done = subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")


def test_a_drain_that_an_operator_began_does_not_shorten_the_pause() -> None:
    with serving(drain_s=3000, admin=True) as server:
        drained = httpx.post(f"{server.url}/admin/drain", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30)
        assert drained.status_code == 200
        assert server.ready() == 503
        server.signal()
        time.sleep(0.3)  # long enough for a server that would leave at once to be gone
        assert server.recommend(history=HISTORY).status_code == 200
        server.signal()
        server.wait()


def test_a_taken_port_is_one_sentence_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMISE_")}
        environment |= {"PROMISE_HOST": "127.0.0.1", "PROMISE_PORT": port}
        command = [sys.executable, "-m", "service"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
