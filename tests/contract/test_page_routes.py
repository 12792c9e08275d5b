"""The pages and their files: what a browser is told of them, and that no path leaves their folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_runtime

from service.api import assets
from service.api.assets import POLICY

PAGES = ["/", "/status"]
ASTRAY = [
    "/web/",
    "/web/.",
    "/web/..",
    "/web/../settings.py",
    "/web/../../pyproject.toml",
    "/web/tree/../base.css",
    "/web//etc/passwd",
    "/web//base.css",
    "/web/./base.css",
    "/web/base.css/",
    "/web/base.css\x00",
    "/web/\x00base.css",
    "/web/..\\settings.py",
    "/web/BASE.CSS",
    "/web/" + "../" * 40 + "etc/passwd",
    "/web/" + "x" * 5000,
    "/web/\udcff",
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime()) as opened:
        yield opened


def raw(client: Client, path: str) -> tuple[int, bytes]:
    """Status and body of a path as the application gets it: decoded, whatever it holds."""
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": b"", "headers": []}
    found: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def reply(message: Any) -> None:
        found.append(message)

    client._loop.run(client.app(scope, receive, reply))
    return found[0]["status"], found[1]["body"]


def test_pages_are_html_that_may_load_its_own_files_and_nothing_else(client: Client) -> None:
    for path in PAGES:
        response = client.call("GET", path)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"] == POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_every_file_of_the_folder_is_served_as_it_is(client: Client) -> None:
    files = [path for path in assets.FOLDER.rglob("*") if path.suffix in assets.MEDIA_TYPES]
    assert {path.suffix for path in files} >= {".html", ".css", ".js"}
    for path in files:
        response = client.call("GET", f"/web/{path.relative_to(assets.FOLDER).as_posix()}")
        assert (response.status_code, response.content) == (200, path.read_bytes())
        assert response.headers["content-type"] == assets.MEDIA_TYPES[path.suffix]


def test_a_browser_asks_again_and_is_told_that_nothing_changed(client: Client) -> None:
    first = client.call("GET", "/")
    tag = first.headers["etag"]
    assert first.headers.get_list("cache-control") == ["no-cache"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.call("GET", "/", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = client.call("GET", "/", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_head_is_get_without_the_bytes(client: Client) -> None:
    response = client.call("HEAD", "/")
    assert response.status_code == 200
    assert response.headers["etag"] == client.call("GET", "/").headers["etag"]


@pytest.mark.parametrize("path", ASTRAY)
def test_no_path_leaves_the_folder(client: Client, path: str) -> None:
    status, body = raw(client, path)
    assert status == 404, body[:200]
    assert b"/problems/not-found" in body


@pytest.mark.parametrize("path", ["/web/%2e%2e/settings.py", "/web/..%2f..%2fpyproject.toml", "/web/%00", "/web/%ff"])
def test_nor_does_an_encoded_one(client: Client, path: str) -> None:
    assert_problem(client.call("GET", path), 404, "not-found")


def test_only_pages_styles_scripts_and_pictures_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    (folder / "tree").mkdir(parents=True)
    for name in ("index.html", "tree/a.js", "notes.txt", ".env", "a.py", "pass.css.key"):
        (folder / name).write_text(name)
    (tmp_path / "secret.css").write_text("secret")
    (folder / "link.css").symlink_to(tmp_path / "secret.css")
    found = assets.read(folder)
    assert set(found) == {"index.html", "tree/a.js"}
    assert found["tree/a.js"].content == b"tree/a.js"
    assert not assets.read(tmp_path / "nowhere")


def test_a_change_of_bytes_changes_the_tag(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("one")
    before = assets.read(tmp_path)["a.css"].tag
    (tmp_path / "a.css").write_text("two")
    assert assets.read(tmp_path)["a.css"].tag != before


ENCODINGS = {
    "gzip": True,
    "br, gzip": True,
    "GZIP;q=0.5": True,
    "deflate, gzip ; q=1.0": True,
    "": False,
    "identity": False,
    "gzip;q=0": False,
    "gzip;q=0.000": False,
    "x-gzipped": False,
}


@pytest.mark.parametrize("accepted", ENCODINGS)
def test_files_are_compressed_for_those_who_take_it(client: Client, accepted: str) -> None:
    response = client.call("GET", "/web/base.css", headers={"Accept-Encoding": accepted})
    plain = (assets.FOLDER / "base.css").read_bytes()
    assert response.content == plain, "unpacked by the client"
    assert ("content-encoding" in response.headers) == ENCODINGS[accepted]
    assert (int(response.headers["content-length"]) < len(plain)) == ENCODINGS[accepted]
    assert response.headers["vary"] == "Accept-Encoding"
    again = {"Accept-Encoding": accepted, "If-None-Match": response.headers["etag"]}
    assert client.call("GET", "/web/base.css", headers=again).status_code == 304
    other = {"Accept-Encoding": "" if ENCODINGS[accepted] else "gzip", "If-None-Match": response.headers["etag"]}
    assert client.call("GET", "/web/base.css", headers=other).status_code == 200, "each form has its own tag"


def test_all_of_it_can_be_switched_off() -> None:
    with Client(made_runtime(playground=False)) as closed:
        for path in (*PAGES, "/web/base.css", "/catalogue", "/catalogue/items", "/catalogue/prefixes?sid=1"):
            assert_problem(closed.call("GET", path), 404, "not-found")
        document = closed.call("GET", "/openapi.json").json()
        assert "catalogue" not in [tag["name"] for tag in document["tags"]]
        assert not [path for path in document["paths"] if path.startswith("/catalogue")]
        assert closed.recommend(history=["B000000001"]).status_code == 200
