"""The load test end to end: a real service passes, a slow one fails its gate, wrong answers are named, by exit code."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from loadtest.bench import locust_run
from loadtest.bench.locust_run import Plan, run_locust
from loadtest.bench.proxy import DelayProxy
from loadtest.bench.venvs import BenchError
from service.commands.bench import app

if TYPE_CHECKING:
    from tiny import Bundles

ROOT = Path(__file__).resolve().parents[2]
POOL = [f"new{n}" for n in range(10)]

# Looked for, not imported: locust patches threads and sockets of the process that imports it; pytest then never ends.
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="the loadtest extra is not installed")


class Stranger(BaseHTTPRequestHandler):
    """A service that answers at once, and well unless `wrong`: then every answer has another fault."""

    protocol_version = "HTTP/1.1"
    wrong = False
    turn = count()

    def do_GET(self) -> None:
        self.answer(200, {"experiments": [], "header": "X-AB-Bucket"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/recommend/batch":
            self.answer(200, [{"response": recommended(entry, POOL[: entry["k"]])} for entry in asked])
        elif self.path != "/recommend":
            self.answer(200, {})
        elif not self.wrong:
            self.answer(200, recommended(asked, POOL))
        else:
            lists: tuple[list[str], ...] = (["same", "same"], [*asked.get("history", [])[:1], "new"], [], POOL)
            turn = next(self.turn) % 4
            self.answer(503 if turn == 3 else 200, recommended(asked, lists[turn]))

    def do_DELETE(self) -> None:
        self.answer(204)

    def answer(self, status: int, found: Any = None) -> None:
        body = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def recommended(asked: dict[str, Any], items: list[str]) -> dict[str, Any]:
    tier = asked.get("budget", "k10")
    return {"items": [{"item_id": item} for item in items], "budget": {"tier": tier}, "feedback_token": "t"}


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Only what users are made from."""
    ids, rows, lengths = np.array([f"seen{n}" for n in range(50)]), np.arange(1, 6), np.array([3, 2])
    np.savez(
        tmp_path / "catalogue.npz",
        ids=ids,
        popularity=np.ones(50),
        category=np.zeros(50),
        sample_items=rows,
        sample_lengths=lengths,
    )
    return tmp_path


def locust(port: int, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest/locustfile.py"), "--headless"]
    shape = ["-u", "4", "-r", "4", "-t", "2s", "--host", f"http://127.0.0.1:{port}", "--bundle", str(bundle), *options]
    return subprocess.run(command + shape, cwd=bundle, capture_output=True, text=True, check=False, timeout=120)


def test_a_real_service_passes_and_reports(bundles: "Bundles", tmp_path: Path) -> None:
    busy = ("--max-p95-ms", "5000", "--max-p99-ms", "5000", "--max-shed", "0.9", "--max-degraded", "0.9")
    plan = Plan(users=6, spawn_rate=6, seconds=3, gates=busy)  # whoever shares the machine: nothing may fail
    found = run_locust(bundles.inner, plan, out=tmp_path)
    verdict = found["verdict"]
    assert verdict["exit_code"] == 0, verdict
    met = {one["name"].split()[-1] for one in verdict["scenarios"] if one["requests"]}
    assert {"returning", "cold", "stored", "header", "hurried", "/feedback", "/events"} <= met
    assert {"locust.log", "report.html", "requests_stats.csv", "result.json"} <= {
        one.name for one in tmp_path.iterdir()
    }
    (report,) = found["reports"]
    assert [arm["bucket"] for arm in report["arms"]] == ["guided", "plain"]
    assert sum(arm["units"] for arm in report["arms"]) > 0, "nobody was exposed"
    impressions = next(one for one in report["outcomes"] if one["event"] == "impression")
    assert sum(rate["positive"] for rate in impressions["rates"]) > 0
    assert 0 < found["driver_busy"] < 1.5


def test_a_slow_service_fails_its_gate(port: int, bundle: Path) -> None:
    with DelayProxy(port, delay_s=0.15) as slow:
        host = ("--host", f"http://127.0.0.1:{slow.port}", "--bundle", str(bundle), "--out", str(bundle / "out"))
        shape = ("--users", "4", "--spawn-rate", "4", "--seconds", "2", "--shape", "steady")
        done = CliRunner().invoke(app, ["locust", *host, *shape, "--max-p95-ms", "100", "--json"])
    assert done.exit_code == 1, done.output
    gates = json.loads(done.stdout)["verdict"]["gates"]
    assert {gate["name"]: gate["passed"] for gate in gates}["p95"] is False
    assert {gate["name"]: gate["passed"] for gate in gates}["failed requests"] is True
    assert "not passed: p95" in done.stderr


def test_wrong_answers_are_named(port: int, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stranger, "wrong", True)
    done = locust(port, bundle, "--tags", "returning", "--verdict", str(bundle / "verdict.json"))
    assert done.returncode == 1, done.stderr
    for said in ("an item is repeated", "an item of the history came back", "0 items for k = 10", "HTTP 503"):
        assert said in done.stderr
    assert "Gate failed: failed requests: " in done.stderr
    verdict = json.loads((bundle / "verdict.json").read_text())
    assert verdict["total"]["failed"] == verdict["total"]["requests"] > 4


def test_a_folder_without_a_catalogue_is_one_sentence_and_no_failed_gate(tmp_path: Path) -> None:
    done = locust(9, tmp_path)
    assert done.returncode == 2
    assert "has no readable catalogue.npz" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_forbids_a_load_test_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="does not accept a connection"):
        run_locust(tmp_path, Plan(), host="http://127.0.0.1:9", out=tmp_path)
    with pytest.raises(BenchError, match="needs a user"):
        run_locust(tmp_path, Plan(users=0), out=tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BenchError, match="no redis-server on this machine"):
        run_locust(tmp_path, Plan(), out=tmp_path)
    monkeypatch.setattr(locust_run, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match="locust is not installed"):
        run_locust(tmp_path, Plan(), out=tmp_path)
