"""Known vulnerabilities of what the locks pin: `.venv/bin/python tests/image/auditing.py`, or `make audit`.

pip-audit asks OSV, then PyPI if that is out of reach. Its own "no known vulnerabilities" also covers packages that it
could not look up; here they count as not asked. Exit code 0: every version was looked up, and what is known of it is in
service/locks/ignored.toml with a reason that has not run out. 1: something is known. 3: nobody could be asked.
"""

import datetime
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "service" / "locks"
SERVICES = (("-s", "osv"), ("-s", "pypi"))
CLEAN, FOUND, NOT_ASKED = 0, 1, 3


class Known(NamedTuple):
    """A vulnerability of a pinned version; all ids of it."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        mended = f", mended in {', '.join(self.fixed)}" if self.fixed else ", not mended anywhere"
        return f"{self.package} {self.version}: {self.ids[0]}{mended}"


class Ignored(NamedTuple):
    """A vulnerability that does not concern us, why, and until when that is believed."""

    id: str
    reason: str
    until: datetime.date


class NobodyAskedError(Exception):
    """No service answered for every package; the message says what happened."""


def ignored(path: Path) -> list[Ignored]:
    """The list, each entry with an id, a reason and a date."""
    entries = tomllib.loads(path.read_text("utf-8")).get("ignored", [])
    return [Ignored(entry["id"], entry["reason"], entry["until"]) for entry in entries]


def known(locks: Sequence[Path], services: Sequence[Sequence[str]] = SERVICES) -> tuple[int, list[Known]]:
    """How many packages were looked up, and what is known of them.

    Raises:
        NobodyAskedError: no service could be asked about all of them.
    """
    reasons = []
    for service in services:
        try:
            return read(_ask(locks, service))
        except NobodyAskedError as error:
            reasons.append(f"{' '.join(service)}: {error}")
    raise NobodyAskedError("; ".join(reasons))


def _ask(locks: Sequence[Path], service: Sequence[str]) -> str:
    files = [part for lock in locks for part in ("-r", str(lock))]
    audit = [
        sys.executable,
        "-m",
        "pip_audit",
        *files,
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run([*audit, "-f", "json", *service], capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise NobodyAskedError((done.stderr.strip().splitlines() or ["no answer"])[-1][-200:])
    return done.stdout


def read(report: str) -> tuple[int, list[Known]]:
    """How many packages a report of pip-audit is about, and what is known of them.

    Raises:
        NobodyAskedError: some were not looked up.
    """
    dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    skipped = sorted(one["name"] for one in dependencies if "skip_reason" in one)
    if skipped or not dependencies:
        raise NobodyAskedError(f"{len(skipped)} of {len(dependencies)} packages could not be looked up")
    found = {
        Known(one["name"], one["version"], (each["id"], *each["aliases"]), tuple(each["fix_versions"]))
        for one in dependencies
        for each in one["vulns"]
    }
    return len({(one["name"], one["version"]) for one in dependencies}), sorted(found)


def judged(found: Sequence[Known], excused: Sequence[Ignored], today: datetime.date) -> tuple[list[Known], list[str]]:
    """What remains, and a line for each excuse: in force, run out, or of no use any more."""
    in_force = {one.id: one for one in excused if one.until >= today}
    open_ones = [one for one in found if not in_force.keys() & set(one.ids)]
    used = {name for one in found for name in one.ids}
    said = [f"ignored until {one.until}: {one.id}: {one.reason}" for one in in_force.values() if one.id in used]
    said += [f"no longer needed: {one.id}" for one in excused if one.id not in used]
    return open_ones, said + [f"run out on {one.until}: {one.id}" for one in excused if one.until < today]


def main(locks: Sequence[Path], services: Sequence[Sequence[str]] = SERVICES, list_of: Path | None = None) -> int:
    try:
        count, found = known(locks, services)
    except NobodyAskedError as error:
        sys.stderr.write(f"Nothing was audited, which is not the same as clean: {error}.\n")
        return NOT_ASKED
    left, said = judged(found, ignored(list_of or LOCKS / "ignored.toml"), datetime.datetime.now(datetime.UTC).date())
    for line in [*said, *map(str, left)]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{count} pinned packages of {', '.join(lock.stem for lock in locks)}: {len(left)} to mend.\n")
    return FOUND if left else CLEAN


if __name__ == "__main__":
    sys.exit(main(sorted(LOCKS.glob("*.txt"))))
