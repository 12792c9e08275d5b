"""No name that a caller or a file gives leads to a file it should not: bundles by path, by slot and by manifest."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from expected_problem import assert_problem
from fake_service import Client
from pydantic import SecretStr
from tiny import Bundles

from models.manifest import sha256
from service.engine.bundle import BundleError, load
from service.observability.logging import open_logger
from service.runtime import open_runtime
from service.settings import Settings

TOKEN = "a-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PATHS = [
    "/etc",
    "/etc/passwd",
    "/proc/self/fd",
    "..",
    "../..",
    "first/../../outside",
    "../outside",
    "~",
    "file:///etc",
    "http://127.0.0.1/",
    "\\\\host\\share",
    "",
    ".",
    "first\x00",
    "x" * 5000,
    "first/" * 500,
    "\udcff",
]
SLOTS = ["..", "../outside", "%2e%2e", "/etc/passwd", "first/../first", "first\x00", "FIRST", "x" * 300, "a\nb"]


@pytest.fixture(scope="module")
def served(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of the bundle that is served; `outside` lies beside the parent and is a good bundle."""
    folder = tmp_path_factory.mktemp("paths")
    shutil.copytree(bundles.inner, folder / "served" / "first")
    shutil.copytree(bundles.inner, folder / "outside")
    (folder / "served" / "link").symlink_to(folder / "outside")
    return folder / "served"


@pytest.fixture(scope="module")
def client(served: Path) -> Iterator[Client]:
    chosen = Settings(bundle=(served / "first",), admin_token=SecretStr(TOKEN))
    with Client(open_runtime(chosen, logger=open_logger("json", StringIO()))) as opened:
        yield opened


@pytest.mark.parametrize("given", [*PATHS, "LINK", "OUTSIDE"])
def test_a_reload_takes_folders_beside_the_bundles_alone(client: Client, served: Path, given: str) -> None:
    path = {"LINK": str(served / "link"), "OUTSIDE": str(served.parent / "outside")}.get(given, given)
    absolute = path if path.startswith("/") else f"{served}/{path}"
    for one in {path, absolute}:
        content = json.dumps({"path": one}).encode()
        headers = ADMIN | {"Content-Type": "application/json"}
        response = client.call("POST", "/admin/bundles/first/reload", content=content, headers=headers)
        if one.rstrip("/.") in (str(served / "first"), ""):
            continue  # no path at all: the bundle's own folder once more
        assert_problem(response, 422, "invalid-request")
        assert "root:" not in response.text


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_is_looked_up_and_never_joined_to_a_path(client: Client, slot: str) -> None:
    response = client.call("POST", f"/admin/bundles/{quote(slot, safe='')}/reload", headers=ADMIN, json={})
    assert response.status_code in (404, 422)
    assert client.recommend(k=1).status_code == 200


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "..", "", "a/../../secret.txt"])
def test_a_manifest_names_no_file_outside_its_folder(bundles: Bundles, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles.inner, folder)
    (tmp_path / "secret.txt").write_text("secret")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = sha256(tmp_path / "secret.txt")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError):
        load(folder)
