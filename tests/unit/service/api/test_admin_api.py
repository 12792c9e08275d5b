"""/admin: who may, and what reload, rollback, catalogue, drain and budget do. Real bundles, tiny ones."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_runtime
from pydantic import SecretStr
from tiny import Bundles

from service.observability.logging import open_logger
from service.runtime import open_runtime
from service.settings import Settings

TOKEN = "a-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
HISTORY = ["i003", "i010", "i020"]
ROUTES = [
    ("GET", "/admin/bundles"),
    ("POST", "/admin/bundles/first/reload"),
    ("POST", "/admin/bundles/first/rollback"),
    ("POST", "/admin/bundles/first/catalogue"),
    ("POST", "/admin/drain"),
    ("GET", "/admin/budget"),
    ("PUT", "/admin/budget"),
    ("DELETE", "/admin/budget"),
]


def copied(bundle: Path, to: Path, version: str) -> Path:
    """The bundle under another folder and version."""
    shutil.copytree(bundle, to)
    manifest = json.loads((to / "manifest.json").read_text())
    (to / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
    return to


@pytest.fixture(scope="module")
def folder(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    copied(bundles.inner, folder / "first", "1")
    copied(bundles.cross, folder / "next", "2")
    copied(bundles.inner, folder / "broken", "3")
    (folder / "broken" / "encoder.onnx").write_bytes(b"no graph")
    (folder / "nothing").mkdir()
    return folder


@pytest.fixture
def log() -> StringIO:
    return StringIO()


@pytest.fixture
def client(folder: Path, log: StringIO) -> Iterator[Client]:
    settings = Settings(bundle=(folder / "first",), admin_token=SecretStr(TOKEN))
    with Client(open_runtime(settings, logger=open_logger("json", log))) as opened:
        yield opened


def admin(client: Client, method: str, path: str, body: Any = None) -> Any:
    response = client.call(method, f"/admin/{path}", json=body, headers=ADMIN)
    assert response.status_code == 200, response.text
    return response.json()


def answer(client: Client) -> tuple[str, list[str]]:
    body = client.recommend(history=HISTORY, budget="k20").json()
    return body["model"]["version"], [item["item_id"] for item in body["items"]]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_token_nothing_is_even_read(client: Client, method: str, path: str) -> None:
    for given in (
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer é",
        f"Bearer {TOKEN[:-1]}",
    ):
        headers = {"Authorization": given.encode("latin-1"), "Content-Type": "application/json"}
        response = client.call(method, path, content=b"{", headers=headers)
        assert_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    assert_problem(client.call(method, path), 401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_service_without_a_token_has_no_administration(method: str, path: str) -> None:
    with Client(made_runtime()) as client:
        assert_problem(client.call(method, path, headers=ADMIN), 403, "admin-disabled")


def test_reload_and_rollback(client: Client, folder: Path) -> None:
    first = answer(client)
    shown = admin(client, "POST", "bundles/first/reload", {"path": str(folder / "next")})
    assert (shown["slot"], shown["version"], shown["former"]) == ("first", "2", ["1"])
    second = answer(client)
    assert (first[0], second[0]) == ("1", "2")
    assert admin(client, "GET", "bundles") == [shown]
    assert admin(client, "POST", "bundles/first/rollback")["version"] == "1"
    assert answer(client) == first
    assert 'promise_model_info{bundle="first",name="tiny",version="1"} 1.0' in client.figures()
    assert 'version="2"' not in client.figures()
    response = client.call("POST", "/admin/bundles/first/rollback", headers=ADMIN)
    assert_problem(response, 409, "conflict")


@pytest.mark.parametrize("path", ["broken", "nothing", "missing", "first/manifest.json", "../served", "."])
def test_what_is_no_bundle_changes_nothing(client: Client, folder: Path, path: str) -> None:
    before = answer(client)
    response = client.call("POST", "/admin/bundles/first/reload", json={"path": str(folder / path)}, headers=ADMIN)
    assert_problem(response, 422, "invalid-request")
    assert answer(client) == before


def test_a_link_leads_nowhere_else(client: Client, folder: Path, tmp_path: Path) -> None:
    copied(folder / "next", tmp_path / "elsewhere", "9")
    link = folder / "link"
    link.symlink_to(tmp_path / "elsewhere")
    response = client.call("POST", "/admin/bundles/first/reload", json={"path": str(link)}, headers=ADMIN)
    link.unlink()
    assert_problem(response, 422, "invalid-request")


def test_a_slot_that_does_not_exist(client: Client) -> None:
    for route in ("reload", "rollback", "catalogue"):
        response = client.call("POST", f"/admin/bundles/nobody/{route}", json={}, headers=ADMIN)
        assert_problem(response, 404, "not-found")


def test_items_come_and_go(client: Client) -> None:
    best = answer(client)[1][0]
    retired = admin(client, "POST", "bundles/first/catalogue", {"retire": [best], "popularity": {"i003": 1000}})
    version, items = answer(client)
    assert (retired["items"], best in items, version) == (89, False, retired["version"])
    assert client.recommend(k=1).json()["items"][0]["item_id"] == "i003"
    admin(client, "POST", "bundles/first/catalogue", {"add": [{"item_id": "new", "like": best, "popularity": 2000}]})
    assert client.recommend(k=1).json()["items"][0]["item_id"] == "new"
    assert 'promise_catalogue_items{bundle="first"} 90.0' in client.figures()
    response = client.call("POST", "/admin/bundles/first/catalogue", json={"retire": ["nobody"]}, headers=ADMIN)
    assert_problem(response, 422, "invalid-request")
    admin(client, "POST", "bundles/first/rollback")
    admin(client, "POST", "bundles/first/rollback")
    assert answer(client)[1][0] == best


def test_a_frozen_budget_outlives_a_reload(client: Client, folder: Path) -> None:
    assert admin(client, "GET", "budget")["bundles"][0]["frozen"] is None
    assert admin(client, "PUT", "budget", {"tier": "k10"})["bundles"][0]["frozen"] == "k10"
    for path in ("next", "first"):
        budget = client.recommend(history=HISTORY).json()["budget"]
        assert (budget["requested"], budget["tier"], budget["reason"]) == ("auto", "k10", "frozen")
        assert client.recommend(history=HISTORY, budget="k20").json()["budget"]["tier"] == "k20"
        admin(client, "POST", "bundles/first/reload", {"path": str(folder / path)})
    assert admin(client, "DELETE", "budget")["bundles"][0]["frozen"] is None
    assert client.recommend(history=HISTORY).json()["budget"]["reason"] != "frozen"
    response = client.call("PUT", "/admin/budget", json={"tier": "k51"}, headers=ADMIN)
    assert_problem(response, 400, "unknown-tier")


def test_the_log_says_what_was_changed(client: Client, folder: Path, log: StringIO) -> None:
    admin(client, "POST", "bundles/first/reload", {"path": str(folder / "next")})
    admin(client, "PUT", "budget", {"tier": "k10"})
    reload, freeze = (json.loads(line) for line in log.getvalue().splitlines())
    assert (reload["route"], reload["bundle"]) == ("/admin/bundles/{name}/reload", "first")
    assert (reload["model"], freeze["frozen"]) == ("tiny@2", "k10")
    assert TOKEN not in log.getvalue()


def test_drain(client: Client) -> None:
    assert admin(client, "POST", "drain") == {"draining": True}
    assert client.call("GET", "/health/ready").status_code == 503
    assert client.call("GET", "/v2/health/ready").json() == {"ready": False}
    assert client.recommend(history=HISTORY).status_code == 200
