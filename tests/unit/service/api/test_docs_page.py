"""GET /docs: every operation on one page that loads nothing from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from fake_service import Client, made_runtime

VOID = {"meta", "br", "link", "img"}
OWN = {"web/icon.svg", "web/base.css", "web/theme.js", "./", "status", "docs", "openapi.json"}


class Reader(HTMLParser):
    """Tags that load something, and whether tags close as they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = [(name, value or "") for name, value in attrs if name in ("src", "href", "data", "srcset")]
        self.loads += [f"{tag} {name}={value}" for name, value in named if not value.startswith("#")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime()) as opened:
        yield opened


def read(client: Client) -> tuple[str, str, set[str]]:
    """The page, its policy, and what it loads or links to."""
    response = client.call("GET", "/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    reader = Reader()
    reader.feed(response.text)
    assert reader.open == []
    assert not re.search(r"@import|url\(|https?:|style=|onclick", response.text)
    return response.text, response.headers["content-security-policy"], {name.partition("=")[2] for name in reader.loads}


def allowed_style(page: str) -> str:
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    return "'sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() + "'"


def test_it_needs_its_own_style_and_the_playgrounds_header(client: Client) -> None:
    page, policy, loads = read(client)
    assert loads == OWN
    assert policy.startswith(f"default-src 'none'; style-src {allowed_style(page)} 'self'; script-src 'self';")
    assert not re.search(r"<script(?! src=\"web/theme.js\"></script>)", page)
    for name in OWN:
        assert client.call("GET", f"/{name.removeprefix('./')}").status_code == 200, name


def test_without_the_playground_it_needs_nobody_else() -> None:
    with Client(made_runtime(playground=False)) as closed:
        page, policy, loads = read(closed)
    assert loads == {"openapi.json"}
    assert policy.startswith(f"default-src 'none'; style-src {allowed_style(page)}; form-action 'none';")
    assert "<script" not in page


def test_every_operation_is_on_it(client: Client) -> None:
    page = client.call("GET", "/docs").text
    for path, methods in client.call("GET", "/openapi.json").json()["paths"].items():
        for method in methods:
            assert f'<span class="method">{method.upper()}</span> <code>{path}</code>' in page


def test_the_frameworks_own_pages_are_off(client: Client) -> None:
    assert client.call("GET", "/redoc").status_code == 404
