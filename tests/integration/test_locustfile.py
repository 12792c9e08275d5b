"""The load test passes on good answers and fails, by exit code and in a sentence, on anything else."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
POOL = [f"new{n}" for n in range(200)]
Answer = Callable[[list[str]], list[str]]

# Looked for, not imported: locust patches threads and sockets of the process that imports it; pytest then never ends.
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="the loadtest extra is not installed")


@contextmanager
def answering(status: int, answer: Answer) -> Iterator[str]:
    """A server that answers every POST with items chosen from its history; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"items": [{"item_id": item} for item in answer(request["history"])]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def unseen(history: list[str]) -> list[str]:
    return [item for item in POOL if item not in history][:10]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    rows, lengths = np.arange(1, 6, dtype=np.int32), np.array([3, 2], np.int32)
    ids = np.array([f"seen{n}" for n in range(5)])
    np.savez(tmp_path / "catalogue.npz", ids=ids, sample_items=rows, sample_lengths=lengths)
    return tmp_path


def locust(host: str, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest/locustfile.py"), "--headless"]
    shape = ["-u", "4", "-r", "4", "-t", "1s", "--host", host, "--bundle", str(bundle), *options]
    return subprocess.run(command + shape, cwd=bundle, capture_output=True, text=True, check=False, timeout=120)


def test_good_answers_pass(bundle: Path) -> None:
    with answering(200, unseen) as host:
        done = locust(host, bundle)
    assert done.returncode == 0, done.stderr
    assert "/recommend returning" in done.stderr


@pytest.mark.parametrize(
    ("status", "answer", "options", "sentence"),
    [
        (503, unseen, (), "Gate failed: 100.00% of requests failed."),
        (200, lambda _: ["same", "same"], (), "an item is repeated"),
        (200, lambda _: ["seen0", "seen3"], (), "an item of the history came back"),
        (200, unseen, ("--max-p95-ms", "-1"), "Gate failed: the 95th percentile is"),
    ],
)
def test_a_broken_gate_fails(
    bundle: Path, status: int, answer: Answer, options: tuple[str, ...], sentence: str
) -> None:
    with answering(status, answer) as host:
        done = locust(host, bundle, *options)
    assert done.returncode == 1, done.stderr
    assert sentence in done.stderr


def test_a_folder_without_samples_is_one_sentence(tmp_path: Path) -> None:
    done = locust("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 1
    assert "has no readable sample histories" in done.stderr
    assert "Traceback" not in done.stderr
