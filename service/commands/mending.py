"""From an exception to the sentence that says what a person can do about it."""

import errno
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from service.errors import PromiseError

ROOT = Path(__file__).resolve().parents[2]
OURS = ("service", "models", "loadtest")
DISTRIBUTION = "promise-recommender"
# Of several extras that bring a package the command's own comes first, then these in order.
EXTRAS = ("train", "text", "loadtest", "bench", "traces", "gpu", "dev")
PACKAGES = {"sklearn": "scikit-learn", "opentelemetry": "opentelemetry-sdk", "yaml": "pyyaml"}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
MENDABLE = frozenset((*NO_ROOM, *NOT_ALLOWED, *NOT_THERE, errno.EMFILE))


def sentence(error: BaseException, command: str = "") -> str | None:
    """What to tell a person who ran `promise COMMAND …`; None for a bug, which keeps its stack trace."""
    if isinstance(error, PromiseError):
        return error.detail
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return None if package in ("", *OURS) else missing(package, command)
    # The offline rooms raise their own types for what a person can mend; anything else is a bug and says so.
    if type(error).__module__.partition(".")[0] in ("models", "loadtest"):
        return str(error)
    if isinstance(error, OSError) and error.errno in MENDABLE:
        what = error.strerror or str(error)
        return f"{error.filename}: {what}." if error.filename else f"{what}."
    return None


def missing(package: str, command: str = "") -> str:
    """How to install what an import did not find: the extra of this command, or the base installation."""
    extra = extra_of(package, command)
    who = f"promise {command}" if command else "This command"
    if extra is None:
        return f"{who} needs the package {package}, which is not installed: {installing('')}."
    return f"{who} needs the package {package}, which the extra '{extra}' installs: {installing(extra)}."


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
