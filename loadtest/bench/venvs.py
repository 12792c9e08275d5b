"""Pinned virtual environments for the peers, one folder per set of requirements, built once and then reused."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"
COMPLETE = "complete.txt"


class BenchError(Exception):
    """A benchmark cannot run or cannot be believed; the message is one sentence for the person who started it."""


def folder_of(name: str, requirements: Sequence[str], cache: Path = CACHE) -> Path:
    """Where the environment lives: the same requirements and the same Python give the same folder."""
    key = "\n".join([sys.version, *sorted(requirements)])
    return cache / "venvs" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def ensure(
    name: str, requirements: Sequence[str], *, cache: Path = CACHE, fresh: bool = False, index_url: str = ""
) -> Path:
    """Build the environment unless a complete one is there, and return its python. `fresh` rebuilds it.

    Raises:
        BenchError: the requirements are not pinned, or the environment cannot be built.
    """
    loose = [line for line in requirements if "==" not in line]
    if loose or not requirements:
        raise BenchError(f"the {name} environment must pin its requirements with ==, not {loose or 'nothing'}")
    folder = folder_of(name, requirements, cache)
    python, complete = folder / "bin" / "python", folder / COMPLETE
    if complete.exists() and not fresh:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"building the {name} environment in {folder} (several minutes, once) ...", file=sys.stderr)
    _run(name, [sys.executable, "-m", "venv", str(folder)])
    index = ["--extra-index-url", index_url] if index_url else []
    _run(name, [str(python), "-m", "pip", "install", "--quiet", "--no-input", *index, *requirements])
    complete.write_text("\n".join(requirements) + "\n")  # last: an interrupted build is not mistaken for a good one
    return python


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = _reason(done.stderr or done.stdout)
        raise BenchError(f"the {name} environment could not be built (is the network reachable?): {reason}")


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1]
