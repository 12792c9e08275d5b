"""The fixed top level, and what stands there: Makefile, .ci/run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {"README.md", "pyproject.toml", "Makefile", "CHANGELOG.md", "Dockerfile", "docker-compose.yml"}
HIDDEN = {".ci", ".gitignore", ".dockerignore"}
FOLDERS = {"service", "models", "loadtest", "tests"}
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


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
