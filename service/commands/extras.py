"""Which packages an extra brings, and the command that installs it."""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "promise-recommender"
# Of several extras that bring a package the command's own comes first, then these in order.
EXTRAS = ("train", "text", "loadtest", "bench", "traces", "gpu", "ray", "dev")
PACKAGES = {"sklearn": "scikit-learn", "opentelemetry": "opentelemetry-sdk", "yaml": "pyyaml"}


def installing(extra: str) -> str:
    """The command that installs an extra ('' = the base) into the Python that runs this."""
    wanted = f"[{extra}]" if extra else ""
    if not (ROOT / "pyproject.toml").is_file():
        return f"pip install '{DISTRIBUTION}{wanted}'"
    start, here = Path(sys.prefix) / "bin" / "pip", Path.cwd()
    pip = start.relative_to(here) if start.is_relative_to(here) else start
    return f"{pip} install -e '{'.' if here == ROOT else ROOT}{wanted}'"


def extra_of(package: str, command: str = "") -> str | None:
    """The extra that brings this package (by its import name), preferring the one called as the command."""
    found = extras_by_package().get(_plain(PACKAGES.get(package, package)), ())
    return min(found, key=lambda extra: (extra != command, EXTRAS.index(extra)), default=None)


def extras_by_package() -> dict[str, tuple[str, ...]]:
    """Distribution name → extras that require it, as the installed metadata says."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from a folder without an installation
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        name = _plain(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
        if extra and extra[1] in EXTRAS:
            found[name] = (*found.get(name, ()), extra[1])
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
