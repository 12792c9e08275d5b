"""The image's locked requirements: `.venv/bin/python tests/image/locking.py` writes service/locks anew from PyPI.

Needs Debian bookworm's own Python beside this one: the image has that one, and pip resolves for whoever runs it.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "service" / "locks"
EXTRAS = ("gpu", "loadtest", "ray", "traces")
INDEX = "https://pypi.org/simple"
PYTHON = "/usr/bin/python3.11"
VERSION = "import platform; print(platform.python_version(), platform.machine())"
FOR = "3.11.2 x86_64"
HEAD = "# {what}. Written by: .venv/bin/python tests/image/locking.py\n"


def found() -> str:
    """Version and machine of Debian's Python; empty where there is none."""
    if not Path(PYTHON).exists():
        return ""
    return subprocess.run([PYTHON, "-c", VERSION], check=True, capture_output=True, text=True).stdout.strip()


def resolve(wanted: Iterable[str], kept: Path | None = None) -> dict[str, str]:
    """Requirement lines (name==version and one hash) by name, as pip resolves them; `kept` is a file of constraints."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip = [sys.executable, "-m", "pip", "--isolated", "--python", PYTHON, "install", "--quiet", "--dry-run"]
        source = ["--ignore-installed", "--index-url", INDEX, "--only-binary", ":all:", "--report", str(report)]
        limits = ["--constraint", str(kept)] if kept else []
        only_the_index = os.environ | {"PIP_CONFIG_FILE": os.devnull}
        subprocess.run([*pip, *source, *limits, *wanted], check=True, cwd=ROOT, env=only_the_index)
        chosen = json.loads(report.read_text("utf-8"))["install"]
    return dict(line(each) for each in chosen if "dir_info" not in each["download_info"])


def line(chosen: dict[str, Any]) -> tuple[str, str]:
    name, version = canonicalize_name(chosen["metadata"]["name"]), chosen["metadata"]["version"]
    return name, f"{name}=={version} --hash=sha256:{chosen['download_info']['archive_info']['hashes']['sha256']}"


def write(name: str, what: str, lines: dict[str, str]) -> None:
    text = HEAD.format(what=what) + "".join(f"{lines[key]}\n" for key in sorted(lines))
    (LOCKS / f"{name}.txt").write_text(text, "utf-8")


def main() -> int:
    if found() != FOR:
        sys.stderr.write(
            f"The locks are for Python {FOR}, as Debian bookworm has it; {PYTHON} is {found() or 'not there'}.\n"
        )
        return 2
    base = resolve(["."])
    write("base", "What the service needs", base)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "kept.txt")
        kept.write_text("".join(f"{text.split()[0]}\n" for text in base.values()), "utf-8")
        for extra in EXTRAS:
            more = resolve([f".[{extra}]"], kept)
            write(extra, f"What the extra {extra} adds to base.txt", {k: v for k, v in more.items() if k not in base})
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    write("build", "What makes the wheel; nothing of it is in the image", resolve(["pip", *tools]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
