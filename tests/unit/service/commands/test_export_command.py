"""promise export: whole or not at all, also where the disk is full, and a sentence where it may not write."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service import cli
from service.settings import SHIPPED_BUNDLE

LIMIT = 1 << 20  # bytes of a file: less than a graph has, so that writing fails as on a full disk
PROGRAM = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))\n"
PROGRAM += "from service.cli import main; main()"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED_BUNDLE, tmp_path / "run" / "bundle-B-inner")
    return tmp_path / "run"


def test_a_bundle_is_copied_with_every_file_and_said_as_json(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["export", str(run), str(tmp_path / "out"), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["bundle"] == str(tmp_path / "out")
    again = CliRunner().invoke(cli.app, ["bundle", "verify", str(tmp_path / "out"), "--json"])
    assert json.loads(again.stdout)["ok"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_a_full_disk_leaves_what_was_there_and_nothing_else(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "before").write_text("still served")
    command = [sys.executable, "-c", PROGRAM, "export", str(run), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "too large" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["before"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_a_place_that_cannot_be_written_is_one_sentence(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sys, "argv", ["promise", "export", str(run), str(tmp_path / "file" / "out")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert capsys.readouterr().err == f"{tmp_path}/file/out.partial: Not a directory.\n"
