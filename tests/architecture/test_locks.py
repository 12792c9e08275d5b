"""The image's locked requirements: they satisfy pyproject.toml and each other, by hash, for the image's Python.

After a change of pyproject.toml this writes them anew: .venv/bin/python tests/image/locking.py
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from containers import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ROOT / "service" / "locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = ("gpu", "loadtest", "ray", "traces")
DEBIAN = {"python_full_version": "3.11.2", "python_version": "3.11", "extra": ""}
LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.]+) --hash=sha256:[0-9a-f]{64}")


def locked(folder: Path, *names: str) -> dict[str, str]:
    """Version by name; a line that pip would not check by hash is an error."""
    found: dict[str, str] = {}
    for name in names:
        for line in (folder / f"{name}.txt").read_text("utf-8").splitlines()[1:]:
            match = LINE.fullmatch(line)
            assert match, line
            assert found.setdefault(match["name"], match["version"]) == match["version"], line
    return found


def unmet(wanted: list[str], versions: dict[str, str]) -> list[str]:
    """The requirements that this lock does not satisfy on the image's Python."""
    needs = [need for need in map(Requirement, wanted) if need.marker is None or need.marker.evaluate(DEBIAN)]
    return [str(need) for need in needs if versions.get(canonicalize_name(need.name), "") not in need.specifier]


def further(name: str) -> list[str]:
    """What an installed package requires itself; nothing where it is not installed here."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def test_they_satisfy_the_project() -> None:
    project = PROJECT["project"]
    assert unmet(project["dependencies"], locked(LOCKS, "base")) == []
    assert unmet(PROJECT["build-system"]["requires"], locked(LOCKS, "build")) == []
    for extra in EXTRAS:
        assert unmet(project["optional-dependencies"][extra], locked(LOCKS, "base", extra)) == []


def test_they_are_whole() -> None:
    for names in (("base",), *(("base", extra) for extra in EXTRAS)):
        versions = locked(LOCKS, *names)
        assert not [(name, unmet(further(name), versions)) for name in versions if unmet(further(name), versions)]


def test_an_extra_only_adds_and_no_two_disagree() -> None:
    base = locked(LOCKS, "base")
    for extra in EXTRAS:
        assert not base.keys() & locked(LOCKS, extra).keys()
    assert locked(LOCKS, *EXTRAS)


def test_cuda_is_what_the_gpu_extra_adds() -> None:
    assert all(name.startswith("nvidia-") for name in locked(LOCKS, "gpu"))
    assert {"nvidia-cudnn-cu13", "nvidia-cublas"} <= locked(LOCKS, "gpu").keys()
    assert "torch" not in locked(LOCKS, "base", *EXTRAS)


def planted(folder: Path, pattern: str, instead: str) -> Path:
    text, count = re.subn(pattern, instead, (LOCKS / "base.txt").read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1
    (folder / "base.txt").write_text(text, "utf-8")
    return folder


def test_a_version_that_the_project_does_not_allow_is_found(tmp_path: Path) -> None:
    versions = locked(planted(tmp_path, r"^numpy==\S+", "numpy==2.0.0"), "base")
    assert unmet(PROJECT["project"]["dependencies"], versions) == ["numpy<3,>=2.2"]


def test_a_package_that_only_the_older_python_needs_is_missed(tmp_path: Path) -> None:
    versions = locked(planted(tmp_path, r"^async-timeout.*\n", ""), "base")
    assert [need.split(">")[0] for need in unmet(further("redis"), versions)] == ["async-timeout"]


def test_a_line_without_its_hash_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="redis"):
        locked(planted(tmp_path, r"^(redis==\S+) .*", r"\1"), "base")
