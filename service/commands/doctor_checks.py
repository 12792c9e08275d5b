"""What `promise doctor` looks at, one after the other; none of it changes anything."""

import asyncio
import platform
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from service import settings
from service.commands.extras import DISTRIBUTION, extras_by_package, installing
from service.commands.mistakes import sentence
from service.errors import PromiseError
from service.settings import Settings

TRAINING = "train"  # the extra that most people lack first
TRIES = 3  # of Redis: the first command also connects, within the time that commands have
UNKNOWN = "gpu"  # an extra of a package of the base: what it brings is not named in our metadata


class Check(NamedTuple):
    """One thing looked at. `note`: worth knowing, and nothing that serving needs."""

    name: str
    state: Literal["ok", "note", "wrong"]
    detail: str


def checkup(overrides: Mapping[str, Any]) -> list[Check]:
    """Everything that serving needs, in the order in which a start would miss it."""
    found = [_python(), _packages(), *_extras()]
    try:
        chosen = settings.load(**overrides)
    except PromiseError as error:
        return [*found, Check("settings", "wrong", error.detail)]
    found.append(Check("settings", "ok", f"{len(chosen.model_fields_set)} of {len(Settings.model_fields)} set"))
    looks = {"device": _device, "redis": _redis, "experiments": _experiments, "port": _port, "files": _files}
    found += [_tried("bundle", partial(_bundle, folder)) for folder in chosen.bundle]
    return [*found, *(_tried(name, partial(look, chosen)) for name, look in looks.items())]


def _tried(name: str, look: Callable[[], Check]) -> Check:
    """A look whose error is its answer, a missing package included."""
    try:
        return look()
    except Exception as error:
        told = sentence(error, "doctor")
        if told is None:
            raise
        return Check(name, "wrong", told)


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.machine()}")


def _packages() -> Check:
    """What the base installation brings."""
    try:
        lines = [line for line in requires(DISTRIBUTION) or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Check("packages", "wrong", f"{DISTRIBUTION} is not installed in this Python: {installing('')}")
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in lines]
    missing = [name for name in names if not _installed(name)]
    if missing:
        return Check("packages", "wrong", f"{', '.join(missing)} missing: {installing('')}")
    return Check("packages", "ok", f"{DISTRIBUTION} {version(DISTRIBUTION)} and its {len(names)} packages")


def _extras() -> list[Check]:
    """Which extras are there; serving needs none of them."""
    by_extra: dict[str, list[str]] = {}
    for package, extras in extras_by_package().items():
        for extra in set(extras) - {UNKNOWN}:
            by_extra.setdefault(extra, []).append(package)
    whole = [extra for extra, names in by_extra.items() if all(map(_installed, names))]
    absent = [extra for extra in by_extra if extra not in whole]
    found = [Check("extras", "ok", ", ".join(whole) or "none")]
    if TRAINING in absent:
        found.append(Check("training", "note", f"the extra '{TRAINING}' is not installed: {installing(TRAINING)}"))
    return found


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _bundle(folder: Path) -> Check:
    from service.engine.bundle import load

    manifest = load(folder).manifest
    return Check("bundle", "ok", f"{manifest.tag}, {manifest.items:,} items, at {folder}")


def _device(chosen: Settings) -> Check:
    from service.engine.sessions import choose_device

    device = choose_device(chosen.device)
    return Check("device", "ok", f"{device}, by onnxruntime-gpu {version('onnxruntime-gpu')}")


def _redis(chosen: Settings) -> Check:
    from service import stores
    from service.cache.remote import RemoteError

    remote = stores.remote(chosen)
    if remote is None:
        return Check("redis", "note", "PROMISE_REDIS_URL is not set: histories and encodings stay in one process")

    async def ask() -> None:
        try:
            for _ in range(TRIES - 1):
                with suppress(RemoteError):
                    await remote.execute("PING")
                    return
            await remote.execute("PING")
        finally:
            await remote.close()

    asyncio.run(ask())
    return Check("redis", "ok", "answers PING")


def _experiments(chosen: Settings) -> Check:
    from service.experiments.live import LiveExperiments

    if chosen.experiments is None:
        return Check("experiments", "ok", "none")
    names = [one.name for one in LiveExperiments(chosen.experiments).current.experiments]
    return Check("experiments", "ok", f"{', '.join(names) or 'none'} in {chosen.experiments}")


def _port(chosen: Settings) -> Check:
    from service.server import listener

    listener(chosen.host, chosen.port).close()
    return Check("port", "ok", f"{chosen.port} of {chosen.host} is free")


def _files(chosen: Settings) -> Check:
    from service.api.open_files import room_for

    room, wanted = room_for(chosen.max_connections), chosen.max_connections
    if room < wanted:
        return Check("files", "note", f"room for {room:,} of {wanted:,} connections: raise the limit, as by ulimit -n")
    return Check("files", "ok", f"room for {wanted:,} connections")
