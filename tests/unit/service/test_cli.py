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
    assert run(monkeypatch, "bundle", "verify", str(folder)) == 2
    sentence = capsys.readouterr().err
    assert str(folder / "catalogue.npz") in sentence
    assert sentence.count("\n") == 1


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # None in sys.modules makes the import fail as if the package were not installed.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for module in ("service.engine.graphs", "service.engine.sessions"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert run(monkeypatch, "bundle", "verify") == 2
    sentence = capsys.readouterr().err
    assert "needs onnxruntime" in sentence
    assert sentence.count("\n") == 1


def test_a_wrong_option_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "serve", "--device", "tpu") == 2
    assert "PROMISE_DEVICE" in capsys.readouterr().err


def test_serve_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []
    monkeypatch.setattr("service.__main__.run", lambda **options: given.append(options))
    CliRunner().invoke(cli.app, ["serve", "--port", "9000", "--bundle", "b"])
    CliRunner().invoke(cli.app, ["serve"])
    assert given == [{"port": 9000, "bundle": (Path("b"),)}, {}]
