"""promise doctor: true about this machine, and wrong where the service would not start."""

import json
import resource
import socket
import sys

import pytest
from redis_server import RedisServer
from typer.testing import CliRunner

from service import cli


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROMISE_REDIS_URL", "PROMISE_BUNDLE", "PROMISE_DEVICE", "PROMISE_PORT", "PROMISE_HOST"):
        monkeypatch.delenv(name, raising=False)


def checked(*arguments: str) -> tuple[int, dict[str, str], dict[str, str]]:
    """Exit code, and state and detail by name."""
    done = CliRunner().invoke(cli.app, ["doctor", "--json", *arguments])
    checks = json.loads(done.stdout)["checks"]
    return done.exit_code, {one["name"]: one["state"] for one in checks}, {one["name"]: one["detail"] for one in checks}


def test_a_machine_that_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer() as server:
        monkeypatch.setenv("PROMISE_REDIS_URL", server.url)
        code, state, detail = checked("--port", "0")
    assert code == 0, detail
    assert {name for name, each in state.items() if each != "ok"} <= {"files"}  # how many, is the machine's affair
    assert "items" in detail["bundle"]
    assert "train" in detail["extras"].split(", ")


def test_what_would_forbid_a_start_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMISE_BUNDLE", "/nowhere/at/all")
    monkeypatch.setenv("PROMISE_REDIS_URL", "redis://127.0.0.1:1")
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, state, detail = checked("--port", port)
    assert code == 1
    assert [name for name, each in state.items() if each == "wrong"] == ["bundle", "redis", "port"]
    assert port in detail["port"]
    shown = CliRunner().invoke(cli.app, ["doctor"]).stdout
    assert "/nowhere/at/all" in shown
    assert "\x1b" not in shown


def test_too_few_open_files_are_worth_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    code, state, detail = checked("--port", "0")
    assert (code, state["files"]) == (0, "note")
    assert "ulimit -n" in detail["files"]


def test_a_setting_that_does_not_exist_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMISE_PROT", "1")
    code, state, detail = checked()
    assert code == 1
    assert state["settings"] == "wrong"
    assert "PROMISE_PORT" in detail["settings"]


def test_a_package_that_is_missing_is_one_check_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "service.engine.sessions", raising=False)
    code, state, detail = checked("--port", "0")
    assert code == 1
    assert [name for name, each in state.items() if each == "wrong"] == ["device"]
    assert "promise doctor needs the package onnxruntime" in detail["device"]
