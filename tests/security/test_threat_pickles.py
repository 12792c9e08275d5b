"""A pickle that would run when it is read, planted wherever the service reads: it stays bytes."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from redis_server import RedisServer
from tiny import Bundles

from models.manifest import sha256
from service.cache import codec
from service.engine.bundle import BundleError, load
from service.errors import CodecError
from service.experiments.stream import FIELD, STREAM

CATALOGUE = made_catalogue()
HISTORY = list(CATALOGUE.ids[:5])


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "it ran"


def test_the_trap_works(mark: Path) -> None:
    pickle.loads(pickle.dumps(Trap(mark)))  # noqa: S301 - the trap itself, made here
    assert mark.exists()


def test_in_redis(redis: RedisServer, mark: Path) -> None:
    """Under every key that a first run used, and in the event log."""
    trap = pickle.dumps(Trap(mark))
    settings: dict[str, Any] = {"redis_url": redis.url, "redis_timeout_ms": 5000, "cache_mb": 0}
    with Client(made_runtime(made_model(CATALOGUE), **settings)) as client:
        client.call("POST", "/events", json={"events": [{"user_id": "u", "item_id": item} for item in HISTORY]})
        plain = client.recommend(history=HISTORY).json()["items"]
        stored = client.recommend(user_id="u").json()["items"]
    keys = [key for key in redis.command("KEYS", "promise:*") if b":h:" in key or b":u:" in key]
    assert len(keys) >= 2
    for key in keys:
        kind = redis.command("TYPE", key)
        redis.command("SET", key, trap) if kind == b"string" else redis.command("ZADD", key, 2e9, trap)
    redis.command("XADD", STREAM, "*", FIELD, trap)
    with Client(made_runtime(made_model(CATALOGUE), **settings)) as client:
        poisoned = client.recommend(history=HISTORY).json()
        assert (poisoned["cache"], poisoned["items"]) == ("error", plain)
        assert client.recommend(user_id="u").json()["items"] == stored
        assert client._loop.run(client.runtime.events.read())[0] == []
    assert not mark.exists()


def test_in_an_encoding(mark: Path) -> None:
    with pytest.raises(CodecError):
        codec.decode(pickle.dumps(Trap(mark)), "m", b"k")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["catalogue.npz", "tables.npz"])
def test_in_a_bundle_whose_hashes_are_right(bundles: Bundles, tmp_path: Path, mark: Path, name: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles.inner, folder)
    with np.load(folder / name) as stored:
        arrays = {key: stored[key] for key in stored.files}
    first = next(iter(arrays))
    arrays[first] = np.array([Trap(mark)] * 3, dtype=object)
    np.savez(folder / name, **arrays)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=name):
        load(folder)
    assert not mark.exists()
