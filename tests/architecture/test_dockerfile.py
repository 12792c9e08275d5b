"""The Dockerfile, as text: what it copies, who it runs as, what it shares with the settings. tests/image builds it."""

import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from containers import ROOT, copied, environment, exec_form, last, let_through, lineage, stages

from service.settings import Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = stages(DOCKERFILE)
IGNORED = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
VARIABLES = {f"PROMISE_{name.upper()}" for name in Settings.model_fields}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PORT = str(Settings.model_fields["port"].default)
IN_CONTEXT = (
    "pyproject.toml", "README.md", "service/app.py", "service/web/index.html", "service/ops/dashboard.py",
    "service/locks/base.txt", "models/contract.py", "models/bundles/beauty/manifest.json", "loadtest/locustfile.py",
)  # fmt: skip
OUT_OF_CONTEXT = (
    ".git/config", ".venv/bin/python", ".env", "runs/x", "tests/conftest.py", "Makefile", "docker-compose.yml",
    "models/figures/x.svg", "loadtest/bench/peers.py", "service/__pycache__/app.cpython-311.pyc", "service/api/a.pyc",
)  # fmt: skip


def test_its_last_stage_is_the_service_and_every_stage_is_known() -> None:
    names = list(STAGES)
    assert names[-1] == "service"
    assert STAGES["python"].source == "${BASE}"
    for at, stage in enumerate(list(STAGES.values())[2:], start=2):
        assert stage.source in names[:at]
        sources = re.findall(r"--from=(\S+)", " ".join(stage.all("COPY")))
        assert set(sources) <= set(names[:at])


def test_what_it_copies_exists_and_gets_through() -> None:
    assert {"service", "models", "loadtest", "pyproject.toml"} <= copied(STAGES)
    assert not [source for source in copied(STAGES) if not (ROOT / source).exists()]
    assert not [path for path in IN_CONTEXT if not let_through(path, IGNORED)]
    assert not [path for path in OUT_OF_CONTEXT if let_through(path, IGNORED)]
    assert all(let_through(source, IGNORED) for source in copied(STAGES))


@pytest.mark.parametrize("name", ["service", "loadtest"])
def test_it_knows_the_settings_and_its_own_port(name: str) -> None:
    variables = environment(STAGES, name)
    assert {key for key in variables if key.startswith("PROMISE_")} <= VARIABLES
    assert set(re.findall(r"PROMISE_[A-Z_]+", DOCKERFILE)) <= VARIABLES
    assert (variables["PROMISE_HOST"], variables["PROMISE_PORT"]) == ("0.0.0.0", PORT)
    assert variables["ORT_DISABLE_TELEMETRY"] == "1"
    assert last(STAGES, "service", "EXPOSE") == PORT
    bundle = variables["PROMISE_BUNDLE"].replace("/srv/bundles", "models/bundles")
    assert (ROOT / bundle / "manifest.json").exists()


@pytest.mark.parametrize("name", ["service", "loadtest"])
def test_it_is_lean_and_unprivileged(name: str) -> None:
    user, _, group = last(STAGES, name, "USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert not {"build", "packages", "code", "locust"} & {stage.name for stage in lineage(STAGES, name)}
    assert exec_form(last(STAGES, name, "CMD"))
    assert last(STAGES, name, "STOPSIGNAL") == "SIGTERM"
    assert "torch" not in DOCKERFILE
    assert "train" not in " ".join(rest for stage in STAGES.values() for _, rest in stage.steps)


def test_its_versions_are_pinned() -> None:
    arguments = dict(rest.split("=", 1) for stage in STAGES.values() for rest in stage.all("ARG"))
    assert re.fullmatch(r"debian:bookworm-\d{8}-slim", arguments["BASE"])
    assert arguments["VERSION"] == PROJECT["version"]
    installs = re.findall(r"pip (?:--python \S+ )?install (\S+)", DOCKERFILE)
    assert len(installs) == 4
    assert set(installs) == {"${LOCKED}", "--no-index"}, "by hash, or what was built here"
    assert "--require-hashes" in environment(STAGES, "build")["LOCKED"]


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1), (None, 1)])
def test_its_health_check_tells_ready_from_not(answer: int | None, code: int) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(answer or 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        port = str(server.server_port)
        if answer is None:
            server.server_close()
        else:
            Thread(target=server.handle_request).start()
        check = [sys.executable, *exec_form(last(STAGES, "service", "HEALTHCHECK"))[1:]]
        done = subprocess.run(check, env={"PROMISE_PORT": port}, capture_output=True, timeout=30, check=False)
    assert done.returncode == code
    assert asked == ([] if answer is None else ["/health/ready"])
