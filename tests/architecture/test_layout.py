"""The fixed top level, and the files beside the code: Makefile, .ci/run, Dockerfile, compose."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = {"README.md", "pyproject.toml", "Makefile", "CHANGELOG.md", "Dockerfile", "docker-compose.yml"}
HIDDEN = {".ci", ".gitignore", ".dockerignore"}
FOLDERS = {"service", "models", "loadtest", "tests"}
VARIABLES = {f"PROMISE_{name.upper()}" for name in Settings.model_fields}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def default(name: str) -> Any:
    return Settings.model_fields[name].default


def make(*arguments: str, path: str = "") -> str:
    """What make prints; its own variables from an outer `make test` are kept out."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment["PATH"] = f"{path}:{environment['PATH']}" if path else environment["PATH"]
    done = subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_top_level_is_complete() -> None:
    assert not [name for name in FILES | HIDDEN | FOLDERS if not (ROOT / name).exists()]


def test_nothing_else_is_tracked_at_the_top() -> None:
    git = ["git", "-c", f"safe.directory={ROOT}", "ls-files"]
    tracked = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    if not tracked:
        pytest.skip("not a git checkout")
    assert {name.split("/")[0] for name in tracked} <= FILES | HIDDEN | FOLDERS


def test_ci_runs_what_a_person_types() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert re.search(r"^exec make test\b", run.read_text("utf-8"), re.MULTILINE)


@needs_make
def test_serving_installs_no_torch_and_testing_does(tmp_path: Path) -> None:
    installs = [line for line in make("-n", "serve", f"VENV={tmp_path}").splitlines() if "pip install" in line]
    assert len(installs) == 1
    assert installs[0].endswith("-e .")
    assert '"torch==' in make("-n", "test", f"VENV={tmp_path}")


@needs_make
def test_a_second_call_installs_nothing(tmp_path: Path) -> None:
    stamps = re.findall(rf"touch ({tmp_path}/\S+)", make("-n", "test", f"VENV={tmp_path}"))
    assert len(stamps) == 3
    for stamp in stamps:
        Path(stamp).touch()
    again = make("-n", "test", f"VENV={tmp_path}")
    assert "pip" not in again
    assert again.index("-m ruff") < again.index("-m mypy") < again.index("-m pytest")


@needs_make
def test_only_a_missing_binary_asks_for_root(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
        (tmp_path / name).chmod(0o755)
    make("binaries", "NEEDS=sh=dash", path=str(tmp_path))
    assert not calls.exists()
    make("binaries", "NEEDS=sh=dash no-such-binary=its-package", path=str(tmp_path))
    assert "its-package" in calls.read_text("utf-8")
    assert "dash" not in calls.read_text("utf-8")


def test_the_image_copies_what_exists_and_its_ignore_file_lets_through() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert sources
    assert not [source for source in sources if not (ROOT / source).exists()]
    assert {source.split("/")[0] for source in sources} <= allowed


def test_the_image_knows_the_settings_and_its_own_port() -> None:
    named = dict(re.findall(r"\b(PROMISE_[A-Z_]+)=(\S+)", DOCKERFILE))
    assert set(re.findall(r"PROMISE_[A-Z_]+", DOCKERFILE)) <= VARIABLES
    assert named["PROMISE_HOST"] == "0.0.0.0"
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [named["PROMISE_PORT"]] == [str(default("port"))]


def test_the_image_is_lean_and_unprivileged() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root|0)\S+$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "/health/ready" in last
    assert "torch" not in DOCKERFILE
    assert "train" not in re.sub(r"#.*", "", DOCKERFILE)


def test_compose_agrees_with_the_settings() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    promise = services["promise"]
    assert set(promise.get("environment", {})) <= VARIABLES
    assert [port.split(":")[1] for port in promise["ports"]] == [str(default("port"))]
    assert promise["depends_on"]["redis"]["condition"] == "service_healthy"
    assert "test" in services["redis"]["healthcheck"]
    assert re.search(r":\d", services["redis"]["image"]), "a pinned tag"
    assert float(promise["stop_grace_period"].rstrip("s")) > default("drain_s") + default("grace_s")
