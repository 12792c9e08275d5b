"""GET /docs: every operation on one page that loads nothing from anywhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from fake_service import Client, made_runtime

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Tags that load something, and whether tags close as they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime()) as opened:
        yield opened


def test_it_is_html_that_needs_nobody_else(client: Client) -> None:
    response = client.call("GET", "/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    reader = Reader()
    reader.feed(response.text)
    assert (reader.loads, reader.open) == (["a href=openapi.json"], [])
    assert not re.search(r"<script|@import|url\(|https?:", response.text)


def test_every_operation_is_on_it(client: Client) -> None:
    page = client.call("GET", "/docs").text
    for path, methods in client.call("GET", "/openapi.json").json()["paths"].items():
        for method in methods:
            assert f'<span class="method">{method.upper()}</span> <code>{path}</code>' in page


def test_the_frameworks_own_pages_are_off(client: Client) -> None:
    assert client.call("GET", "/redoc").status_code == 404
