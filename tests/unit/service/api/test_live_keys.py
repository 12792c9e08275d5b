"""The keys file while the service runs: a change takes effect, a bad file changes nothing and is told once."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.api.keys_file import digest
from service.api.live_keys import LiveKeys
from service.errors import KeysError, QuotaError

EVERY_S = 0.02


def listed(**quotas: dict[str, Any]) -> str:
    return json.dumps([{"name": name, "sha256": digest(name.encode()).hex()} | more for name, more in quotas.items()])


class Watched:
    """A file being watched, and what was told of it."""

    def __init__(self, path: Path) -> None:
        self.path, self.changes, self.errors = path, 0, list[str]()
        self.keys = LiveKeys(path, lambda: 0.0, lambda: 0.0)

    def changed(self) -> None:
        self.changes += 1

    def run(self, *steps: tuple[Callable[[], Any], Callable[[], bool]]) -> None:
        """Each step: what is done, and what must become true then."""

        async def story() -> None:
            watching = asyncio.ensure_future(self.keys.watch(EVERY_S, self.changed, self.errors.append))
            for do, is_so in steps:
                do()
                async with asyncio.timeout(20):
                    while not is_so():
                        await asyncio.sleep(EVERY_S / 4)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

        asyncio.run(story())


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    path = tmp_path / "keys.yaml"
    path.write_text(listed(shop={"rate": 1, "burst": 2}, app={}))
    return Watched(path)


def test_a_key_is_found_by_itself_alone(watched: Watched) -> None:
    found = watched.keys.find(b"shop")
    assert found is not None
    assert found.key.name == "shop"
    for given in (b"sho", b"shop ", b"Shop", b"", digest(b"shop"), digest(b"shop").hex().encode(), b"x" * 100_000):
        assert watched.keys.find(given) is None


def test_keys_come_and_go_with_the_file_and_keep_what_they_used(watched: Watched) -> None:
    shop = watched.keys.find(b"shop")
    assert shop is not None
    shop.spend()
    watched.run(
        (
            lambda: watched.path.write_text(listed(shop={"rate": 1, "burst": 2}, new={})),
            lambda: watched.keys.find(b"new") is not None,
        )
    )
    assert watched.keys.find(b"app") is None
    assert watched.keys.find(b"shop") is shop
    shop.spend()
    with pytest.raises(QuotaError):
        shop.spend()
    assert watched.changes == 1


def test_a_bad_file_leaves_the_old_keys_and_is_told_once(watched: Watched) -> None:
    good = watched.path.read_text()
    watched.run(
        (lambda: watched.path.write_text("- name: x"), lambda: len(watched.errors) == 1),
        (watched.path.unlink, lambda: len(watched.errors) == 2),
        (lambda: watched.path.write_text(good), lambda: watched.keys.last_error is None),
    )
    assert watched.keys.find(b"shop") is not None
    assert "lacks the field 'sha256'" in watched.errors[0]
    assert "cannot be read" in watched.errors[1]
    assert (len(watched.errors), watched.changes) == (2, 0)


@pytest.mark.parametrize("content", ["", "{}", "- x", None])
def test_a_bad_file_forbids_a_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "keys.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeysError, match=r"keys\.yaml"):
        LiveKeys(path)
