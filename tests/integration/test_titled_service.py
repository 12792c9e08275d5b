"""Titles from an items table to the look-up, through reload, a change of the catalogue, and rollback."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_service import Client

from models.titles import add_titles
from service.observability.logging import open_logger
from service.runtime import open_runtime
from service.settings import Settings

if TYPE_CHECKING:
    from tiny import Bundles

TOKEN = "a-token-of-the-admin"


@pytest.fixture
def folder(bundles: "Bundles", tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles.inner, tmp_path / "titled"))


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    settings = Settings.model_validate({"bundle": str(folder), "admin_token": TOKEN})
    with Client(open_runtime(settings, logger=open_logger("json", StringIO()))) as opened:
        yield opened


def change(client: Client, what: str, **body: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    response = client.call("POST", f"/admin/bundles/titled/{what}", json=body, headers=headers)
    assert response.status_code == 200, response.text


def found(client: Client, query: str) -> list[str]:
    response = client.call("GET", "/catalogue/items", params={"q": query})
    return [item["item_id"] for item in response.json()["items"]]


def test_titles_stay_through_reload_change_and_rollback(client: Client, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.jsonl"
    table.write_text(json.dumps({"item_id": "i007", "title": "Argan oil"}) + "\n")
    add_titles(folder, table)
    assert found(client, "argan") == [], "nothing changes under a running service"
    before = client.recommend(history=["i003"]).json()
    change(client, "reload")
    assert found(client, "argan") == ["i007"]
    after = client.recommend(history=["i003"]).json()
    assert (after["items"], after["model"], after["cache"]) == (before["items"], before["model"], "hit")
    change(client, "catalogue", add=[{"item_id": "new", "like": "i001", "brand": "Argania"}], retire=["i007"])
    assert found(client, "argan") == ["new"]
    change(client, "rollback")
    assert found(client, "argan") == ["i007"]
    change(client, "rollback")
    assert found(client, "argan") == []
