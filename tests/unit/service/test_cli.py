"""The command line: what it prints, and that mistakes are one sentence and exit code 2."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.contract import CATALOGUE, CONTRACT_VERSION, TABLES, graphs
from service import cli

MANIFEST = {
    "name": "made",
    "version": "3",
    "contract_version": CONTRACT_VERSION,
    "setting": "B",
    "dims": {
        "width": 8, "heads": 2, "head_width": 4, "encoder_layers": 1, "decoder_layers": 1, "feed_forward": 16,
        "history": 20,
    },
    "depth": 3,
    "codebook": 8,
    "items": 300,
    "parameters": 1000,
    "prm": "inner",
    "scoring": {"leaf": 0.0, "prefix": 0.0},
    "exact": True,
    "provenance": {
        "dataset": "made", "dataset_digest": "0", "users": 1, "interactions": 1, "train_digest": "0", "seed": 1,
        "epochs": 1, "recipe": {},
    },
    "metrics": {"recall@10": 0.1},
    "files": dict.fromkeys([*(graph.file for graph in graphs(1, 3, "inner")), TABLES, CATALOGUE], "0"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["promise", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_describe_prints_the_manifest(folder: Path) -> None:
    as_json = CliRunner().invoke(cli.app, ["bundle", "describe", str(folder), "--json"])
    shown = json.loads(as_json.output)
    assert shown["provenance"].pop("shuffled") is None
    assert shown == MANIFEST | {"auto": None, "correction": None, "votes": None, "precision": "float32"}
    table = CliRunner().invoke(cli.app, ["bundle", "describe", str(folder)])
    assert "metrics.recall@10" in table.output
    assert "dims.width" in table.output


def test_a_damaged_bundle_is_one_sentence_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "catalogue.npz").write_bytes(b"not what was hashed")
    assert run(monkeypatch, "bundle", "verify", str(folder)) == 1, "the check was made, and this is its answer"
    sentence = capsys.readouterr().err
    assert str(folder / "catalogue.npz") in sentence
    assert sentence.count("\n") == 1
    assert run(monkeypatch, "bundle", "verify", str(folder), "--json") == 1
    assert str(folder / "catalogue.npz") in json.loads(capsys.readouterr().out)["detail"]


def test_a_missing_bundle_cannot_be_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for command in ("verify", "describe"):
        assert run(monkeypatch, "bundle", command, str(tmp_path / "gone")) == 2
        assert "gone: no such folder" in capsys.readouterr().err


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # None in sys.modules makes the import fail as if the package were not installed.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for module in ("service.engine.graphs", "service.engine.sessions"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert run(monkeypatch, "bundle", "verify") == 2
    sentence = capsys.readouterr().err
    assert "promise bundle needs the package onnxruntime" in sentence
    assert sentence.count("\n") == 1


def test_a_missing_extra_is_the_one_that_brings_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "few.csv").write_text("user_id,item_id,timestamp\nu,a,1\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("models.")]:
        monkeypatch.delitem(sys.modules, name)
    assert run(monkeypatch, "train", str(tmp_path / "few.csv")) == 2
    told = capsys.readouterr()
    assert told.err.startswith("promise train needs the package torch, which the extra 'train' installs: ")
    assert "install -e '" in told.err
    assert "[train]'." in told.err
    assert told.out == ""


def test_ctrl_c_is_one_line_and_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.server.run", interrupted)
    assert run(monkeypatch, "serve") == 130
    assert capsys.readouterr().err == "Interrupted.\n"


@pytest.mark.parametrize(
    ("typed", "meant"), [(["trian"], "train"), (["train", "x", "--eopchs", "3"], "--epochs"), (["bnudle"], "bundle")]
)
def test_a_near_miss_is_told_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: list[str], meant: str
) -> None:
    assert run(monkeypatch, *typed) == 2
    assert meant in capsys.readouterr().err


def test_a_wrong_option_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "serve", "--device", "tpu") == 2
    assert "PROMISE_DEVICE" in capsys.readouterr().err


def test_serve_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []
    monkeypatch.setattr("service.server.run", lambda **options: given.append(options))
    CliRunner().invoke(cli.app, ["serve", "--port", "9000", "--bundle", "b"])
    CliRunner().invoke(cli.app, ["serve"])
    assert given == [{"port": 9000, "bundle": (Path("b"),)}, {}]
