"""The image's list: what is in it by package, version, licence and source; nothing to become somebody else with."""

import lzma
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_build import ROOT, Image, build, mounted, needs
from image_scan import Package, behind, dangers, debian, table, wheels

ARCHIVE = (
    "http://deb.debian.org/debian/dists/bookworm/main",
    "http://deb.debian.org/debian/dists/bookworm-updates/main",
    "http://security.debian.org/debian-security/dists/bookworm-security/main",
)


@pytest.fixture(scope="module")
def image() -> Image:
    needs()
    return build("service")


@pytest.fixture(scope="module")
def root(image: Image) -> Iterator[Path]:
    with mounted(image) as folder:
        yield folder


def say(lines: list[str]) -> None:
    os.write(1, ("\n" + "\n".join(lines) + "\n").encode())


@pytest.mark.image
@pytest.mark.timeout(1800)
def test_every_package_is_known(root: Path) -> None:
    ours, theirs = wheels(root), debian(root)
    say([*table("Wheels", ours), *table("Debian", theirs)])
    locked = (ROOT / "service/locks/base.txt").read_text("utf-8").splitlines()[1:]
    pins = {line.split()[0].replace("-", "_") for line in locked} | {"promise_recommender==0.1.0"}
    assert {f"{one.name.lower().replace('-', '_').replace('.', '_')}=={one.version}" for one in ours} == pins
    assert [one.name for one in ours if not one.licence] == ["promise-recommender"], "which names none itself"
    assert not [one.name for one in theirs if not one.licence]


@pytest.mark.image
@pytest.mark.timeout(1800)
def test_it_holds_nothing_to_become_somebody_else_with(root: Path) -> None:
    assert dangers(root) == []


@pytest.mark.image
@pytest.mark.timeout(1800)
def test_debian_has_nothing_newer(root: Path) -> None:
    def indexes() -> Iterator[str]:
        for archive in ARCHIVE:
            with urllib.request.urlopen(f"{archive}/binary-amd64/Packages.xz", timeout=60) as reply:
                yield lzma.decompress(reply.read()).decode()

    assert behind(debian(root), indexes()) == []


def test_a_planted_danger_is_found(tmp_path: Path) -> None:
    for name in ("usr/bin", "srv", "tmp", "opt/promise"):
        (tmp_path / name).mkdir(parents=True)
    assert dangers(tmp_path) == []
    for name, mode in (("usr/bin/su", 0o4755), ("usr/bin/wall", 0o2755), ("srv/open", 0o666), ("usr/bin/gcc", 0o755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "tmp").chmod(0o1777)
    assert [said.rpartition("/")[2] for said in dangers(tmp_path)] == [
        "open: open to all", "gcc: a tool", "su: setuid", "wall: setuid",
    ]  # fmt: skip


def test_packages_are_read_and_compared(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "usr/share/doc/zlib1g").mkdir(parents=True)
    status = "Package: {}\nStatus: {} ok {}\nSource: {}\nVersion: 1:1.2-3\n"
    blocks = [("zlib1g", "install", "installed", "zlib (1.2)"), ("gone", "deinstall", "config-files", "gone")]
    (tmp_path / "var/lib/dpkg/status").write_text("\n".join(status.format(*block) for block in blocks), "utf-8")
    (tmp_path / "usr/share/doc/zlib1g/copyright").write_text("License: Zlib\n text\n\nLicense: GPL-2\n", "utf-8")
    found = debian(tmp_path)
    assert found == [Package("zlib1g", "1:1.2-3", "GPL-2, Zlib", "debian:zlib")]
    index = "Package: {}\nSource: zlib\nMaintainer: x\nVersion: {}\n"
    older, newer = index.format("zlib1g", "1:1.2-2"), index.format("zlib1g", "1:1.2-3+deb12u1")
    other = index.format("other", "9")
    assert behind(found, iter([f"{other}\n{older}", newer])) == ["zlib1g 1:1.2-3, 1:1.2-3+deb12u1 is there"]
    assert behind(found, iter([older])) == []
