"""What fuzzing found worth keeping is tried again: nothing in the corpora breaks its target any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from replay import CORPUS

TARGETS = sorted(folder.name for folder in CORPUS.iterdir())
MOST = 300_000  # bytes of all corpora


def test_there_is_a_corpus_for_every_target() -> None:
    assert [f"target_{name}.py" for name in TARGETS] == sorted(file.name for file in CORPUS.parent.glob("target_*.py"))
    files = [file for name in TARGETS for file in (CORPUS / name).iterdir()]
    assert sum(file.stat().st_size for file in files) < MOST
    assert all(file.name.isascii() and file.name.isalnum() for file in files)


@pytest.mark.parametrize("targets", [TARGETS], ids=[",".join(TARGETS)])
def test_no_kept_input_breaks_its_target(targets: list[str]) -> None:
    program = Path(CORPUS.parent, "replay.py")
    done = subprocess.run(
        [sys.executable, str(program), *targets],
        capture_output=True,
        text=True,
        timeout=250,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = dict(line.removesuffix(" inputs").split(": ") for line in done.stdout.splitlines())
    assert counts.keys() == set(targets)
    assert all(int(count) >= 10 for count in counts.values()), counts
