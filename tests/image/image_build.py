"""Building the image without a daemon: buildah with a store of its own below .bench/image, over a Debian made here.

What only chroot isolation needs is here, so that the Dockerfile stays what any builder takes.
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".bench" / "image"
ROOTFS = FOLDER / "bookworm-secured.tar"
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
BASE = "localhost/promise-base:bookworm"
TRUSTED = Path("/usr/local/share/ca-certificates")  # beside Debian's: where this host reaches the registry through one
SECURITY = "http://security.debian.org/debian-security"
SOURCES = (f"{MIRROR} {SUITE} main", f"{MIRROR} {SUITE}-updates main", f"{SECURITY} {SUITE}-security main")
NOT_IN_SLIM = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/man", "usr/share/locale")
NEEDED = ("buildah", "debootstrap", "unshare", "setpriv", "nsenter", "tar")


@dataclass(frozen=True)
class Image:
    """A built image, and the seconds that it took."""

    name: str
    seconds: float

    @property
    def config(self) -> dict[str, Any]:
        """User, Env, Cmd, Healthcheck, Labels, StopSignal, …"""
        return dict(json.loads(buildah("inspect", "--type", "image", self.name))["Docker"]["config"])


def needs() -> None:
    """Skip, with the reason, where no image can be built."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("building without a daemon needs root")


def buildah(*arguments: str) -> str:
    """What buildah prints; its error output is the failure's message."""
    (FOLDER / "tmp").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(FOLDER / "tmp")}
    store = ["--storage-driver", "vfs", "--root", str(FOLDER / "store"), "--runroot", str(FOLDER / "run")]
    command = ["buildah", *store, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"buildah {' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@functools.cache
def build(target: str, **arguments: str) -> Image:
    """The Dockerfile of this checkout up to `target`, through its .dockerignore; built once in a session."""
    base()
    name = "localhost/promise:" + "-".join((target, *arguments.values()))
    given = [part for key, value in ({"BASE": BASE} | arguments).items() for part in ("--build-arg", f"{key}={value}")]
    # the docker format alone has health checks; vfs copies a whole layer for each one kept, so none between is
    how = ["--format", "docker", "--layers=false", "--target", target]
    started = time.monotonic()
    buildah("build", *how, *given, "-t", name, ".")
    return Image(name, time.monotonic() - started)


@functools.cache
def base() -> None:
    """Debian as debootstrap makes it, made slim; kept as a tar file, so that a second run need not make it again."""
    forget()
    atexit.register(forget)
    if not ROOTFS.exists():
        _bootstrap()
    container = buildah("from", "scratch").strip()
    buildah("add", container, str(ROOTFS), "/")
    buildah("commit", "--rm", "--format", "docker", container, BASE)


def _bootstrap() -> None:
    made, kept = FOLDER / "rootfs", ROOTFS.with_suffix(".part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(made), MIRROR], check=True, capture_output=True)
    (made / "etc/apt/sources.list").write_text("".join(f"deb {source}\n" for source in SOURCES), "utf-8")
    for path in (made / "usr/share/doc").rglob("*"):  # the licences stay
        if path.is_file() and path.name != "copyright":
            path.unlink()
    for name in NOT_IN_SLIM:
        shutil.rmtree(made / name, ignore_errors=True)
        (made / name).mkdir()
    (made / TRUSTED.relative_to("/")).mkdir(parents=True, exist_ok=True)
    for certificate in TRUSTED.glob("*.crt"):
        shutil.copy(certificate, made / TRUSTED.relative_to("/"))
    subprocess.run(["tar", "-C", str(made), "-cf", str(kept), "."], check=True)
    kept.rename(ROOTFS)
    shutil.rmtree(made)


@contextmanager
def mounted(image: Image) -> Iterator[Path]:
    """The root folder of a container made from the image."""
    container = buildah("from", image.name).strip()
    try:
        yield Path(buildah("mount", container).strip())
    finally:
        buildah("rm", container)


def forget() -> None:
    """Drop every image, also those of a run that was killed; the base's tar and pip's cache stay for the next one."""
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")
    for name in ("store", "run"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
