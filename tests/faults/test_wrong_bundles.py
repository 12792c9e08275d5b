"""A service is not started on a bundle whose hashes are right and whose graphs are wrong: one sentence, exit code 2."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench.outages.bundles import WRONG, variant
from loadtest.bench.venvs import ROOT

if TYPE_CHECKING:
    from tiny import Bundles

TIMELY = ("too slow",)  # over so small a bundle it is quick enough


@pytest.mark.faults
@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind not in TIMELY])
def test_the_start_is_refused_with_a_sentence(bundles: "Bundles", tmp_path: Path, kind: str) -> None:
    folder = variant(kind, bundles.inner, tmp_path)
    command = [
        "env",
        f"PROMISE_BUNDLE={folder}",
        "PROMISE_DEVICE=cpu",
        "PROMISE_PORT=0",
        sys.executable,
        "-m",
        "service",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith(".")
    assert str(folder) in last
    assert "Traceback" not in done.stderr
