"""What is in an image: packages with version, licence and source, and what an intruder would look for."""

import email.parser
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from image_size import PACKAGES

USER = 10001
BUILDERS = ("pip", "pip3", "gcc", "cc", "g++", "make", "ld", "as", "git")
TOOLS = (*BUILDERS, "curl", "wget", "nc", "ncat", "telnet", "ssh", "gdb", "strace", "tcpdump", "sudo")
PATHS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "opt/promise/bin")
CAPABILITY = "security.capability"
OPEN_TO_ALL = {"tmp", "var/tmp", "run/lock", "dev/shm"}  # a tmpfs or read-only where the image runs as it should


class Package(NamedTuple):
    """One line of the list. `source` is who made it: Debian's source package, or the index of the wheel."""

    name: str
    version: str
    licence: str
    source: str


def debian(root: Path) -> list[Package]:
    """What dpkg installed."""
    text = (root / "var/lib/dpkg/status").read_text("utf-8")
    found = (email.parser.Parser().parsestr(block) for block in text.split("\n\n") if block.strip())
    return sorted(
        Package(str(one["Package"]), str(one["Version"]), _copyright(root, str(one["Package"])), _source(one["Source"]))
        for one in found
        if str(one["Status"]).endswith(" installed")
    )


def _source(said: str | None) -> str:
    return f"debian:{said.partition(' ')[0]}" if said else "debian"


def _copyright(root: Path, name: str) -> str:
    """The short names of its licences; "see copyright" for a text that no program reads, "" where there is none."""
    path = root / "usr/share/doc" / name / "copyright"
    if not path.is_file():
        return ""
    names = re.findall(r"^License: *(\S[^\n]*)", path.read_text("utf-8", "replace"), re.MULTILINE)
    return ", ".join(sorted(set(names)))[:80] or "see copyright"


def wheels(root: Path) -> list[Package]:
    """What pip installed, our own code included."""
    found = []
    for path in (root / PACKAGES).glob("*.dist-info/METADATA"):
        one = email.parser.Parser().parsestr(path.read_text("utf-8"), headersonly=True)
        kinds = [kind.rpartition(" :: ")[2] for kind in one.get_all("Classifier", []) if kind.startswith("License")]
        licence = one["License-Expression"] or ", ".join(kinds) or (one["License"] or "").partition("\n")[0]
        found.append(Package(str(one["Name"]), str(one["Version"]), str(licence)[:80], "wheel"))
    return sorted(found, key=lambda each: each.name.lower())


def dangers(root: Path) -> list[str]:
    """Files that make somebody somebody else, places that the service's user may write, an intruder's tools."""
    found = [said for path, status in _all(root) for said in _dangers_of(path.relative_to(root), path, status)]
    tools = [f"{folder}/{tool}: a tool" for folder in PATHS for tool in TOOLS if (root / folder / tool).exists()]
    return sorted([*found, *tools])


def _all(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if not path.is_symlink():
                yield path, path.stat()


def _dangers_of(name: Path, path: Path, status: os.stat_result) -> Iterator[str]:
    mode = status.st_mode
    if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
        yield f"{name}: setuid"
    if stat.S_ISREG(mode) and CAPABILITY in os.listxattr(path):
        yield f"{name}: capabilities"
    if status.st_uid == USER or status.st_gid == USER:
        yield f"{name}: the service's own"
    if mode & stat.S_IWOTH and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and str(name) not in OPEN_TO_ALL:
        yield f"{name}: open to all"


def table(title: str, packages: list[Package]) -> list[str]:
    """Lines to show."""
    rows = [f"  {one.name:<34}{one.version:<28}{one.source:<24}{one.licence}" for one in packages]
    return [f"{title}: {len(packages)}", *rows]


def behind(packages: list[Package], indexes: Iterator[str]) -> list[str]:
    """Packages of which these Packages files of the archive have a newer version than the image."""
    ours, best = {one.name: one.version for one in packages}, {one.name: one.version for one in packages}
    for text in indexes:
        for block in text.split("\n\n"):
            name = block.partition("\n")[0].removeprefix("Package: ")
            version = re.search(r"^Version: (\S+)", block, re.MULTILINE)
            if name in best and version and _newer(version[1], best[name]):
                best[name] = version[1]
    return [f"{name} {ours[name]}, {best[name]} is there" for name in ours if best[name] != ours[name]]


def _newer(one: str, other: str) -> bool:
    return (
        one != other and subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0
    )
