"""The manifest says everything and nothing else."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny import PROVENANCE

from models.manifest import Dims, Manifest, sha256

DIMS = Dims(width=8, heads=2, head_width=4, encoder_layers=1, decoder_layers=1, feed_forward=16, history=5)


def made(**changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "name": "tiny",
        "version": "1.2",
        "contract_version": 1,
        "setting": "B",
        "dims": DIMS,
        "depth": 3,
        "codebook": 8,
        "items": 40,
        "parameters": 100,
        "prm": "inner",
        "scoring": {"leaf": 0.0, "prefix": 0.5},
        "exact": True,
        "provenance": PROVENANCE,
        "metrics": {"test recall@10": 0.5},
        "files": {"encoder.onnx": "00"},
    }
    return Manifest.model_validate(facts | changes)


def test_it_survives_its_file() -> None:
    assert Manifest.model_validate_json(made().model_dump_json(indent=1)) == made()


def test_the_tag_names_name_and_version() -> None:
    assert made().tag == "tiny@1.2"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("version", ""),
        ("setting", "C"),
        ("depth", 0),
        ("items", 0),
        ("prm", "outer"),
        ("scoring", {"leaf": -0.1, "prefix": 0}),
        ("scoring", {"leaf": 0.1}),
        ("dims", {"width": 8}),
        ("surprise", 1),
        ("files", {"a": 1}),
    ],
)
def test_what_is_wrong_or_unknown_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        made(**{field: value})


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        made().items = 2


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_is_hashed_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)) * (size // 256) + b"end"[:size])
    assert sha256(tmp_path / "x") == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
