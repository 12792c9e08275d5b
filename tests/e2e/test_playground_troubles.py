"""When the service refuses or is away: one sentence in its place, the answer before still there, and a way back."""

import json
from pathlib import Path

import pytest
from browsing import running
from playwright.sync_api import Route, expect
from watched import Open, Watched

from loadtest.bench.service import Service
from service.api.keys_file import digest

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e


def trouble(page: Watched, said: str) -> None:
    expect(page.page.locator("#trouble .note")).to_contain_text(said)


def test_a_refusal_is_told_in_the_words_of_the_service(open_page: Open) -> None:
    page = open_page("/").settled()
    before = page.items()
    page.expected.append("400")
    page.page.get_by_label("Only category").fill("Submarines")
    page.page.get_by_label("Only category").press("Tab")
    trouble(page, "'Submarines' is not a category of this catalogue")
    assert page.items() == before
    assert page.grave() == []
    page.page.get_by_label("Only category").fill("")
    page.page.get_by_label("Only category").press("Tab")
    expect(page.settled().page.locator("#trouble .note")).to_have_count(0)


def test_an_overloaded_service_says_how_long_to_wait(open_page: Open) -> None:
    page = open_page("/").settled()
    page.expected.append("503")
    problem = {
        "type": "/problems/overloaded",
        "title": "Too busy",
        "status": 503,
        "detail": "Too many requests at once.",
    }

    def refuse(route: Route) -> None:
        headers = {"Content-Type": "application/problem+json", "Retry-After": "2"}
        route.fulfill(status=503, headers=headers, body=json.dumps(problem))

    page.page.route("**/recommend", refuse)
    page.page.get_by_role("slider", name="Compute budget").press("End")
    trouble(page, "Too many requests at once. It asks to wait 2 s.")
    assert page.items()
    page.page.unroute("**/recommend", refuse)
    page.page.get_by_role("button", name="Try again").click()
    expect(page.settled().page.locator("#tile-tier b")).to_have_text("exact")
    expect(page.page.locator("#trouble .note")).to_have_count(0)


def test_a_deadline_too_short_for_a_search_is_said(open_page: Open) -> None:
    page = open_page("/").settled()
    page.page.get_by_label("Deadline, ms").fill("1")
    page.page.get_by_label("Deadline, ms").press("Tab")
    expect(page.page.locator("#list-note")).to_contain_text("too late for any search")
    expect(page.page.locator("#tile-tier")).to_contain_text("degraded")


def test_a_service_that_goes_away_is_missed_and_found_again(open_page: Open, tmp_path: Path) -> None:
    service = Service(tmp_path / "log")
    with running(service):
        page = open_page("/", base=service.url).settled()
        before = page.items()
    page.expected.append("ERR_CONNECTION|Failed to load resource")
    page.page.get_by_role("slider", name="Compute budget").press("End")
    trouble(page, "The service does not answer.")
    assert page.items() == before
    with running(service):
        page.page.get_by_role("button", name="Try again").click()
        expect(page.settled().page.locator("#tile-tier b")).to_have_text("exact")


def test_a_page_that_finds_no_service_data_says_so_and_starts_on_demand(open_page: Open) -> None:
    page = open_page("/status")
    page.page.route("**/catalogue", lambda route: route.abort())
    page.expected.append("ERR_FAILED")
    page.go("/")
    trouble(page, "The service does not answer.")
    page.page.unroute_all()
    page.page.get_by_role("button", name="Try again").click()
    assert page.settled().items()


def test_where_a_key_is_wanted_the_reader_is_asked_for_it(open_page: Open, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    reader, shop = ({"name": name, "sha256": digest(f"pk_{name}".encode()).hex()} for name in ("reader", "shop"))
    keys.write_text(json.dumps([reader | {"may_override": True}, shop]))
    with running(Service(tmp_path / "log", api_keys=keys)) as service:
        page = open_page("/status", base=service.url)
        page.expected.append("401|403")
        page.go("/")
        trouble(page, "X-API-Key")
        field = page.page.get_by_label("API key")
        for key in ("no header holds me", "pk_wrong", "pk_shop"):
            field.fill(key)
            page.page.get_by_role("button", name="Use it").click()
            expect(field).to_be_visible()
        trouble(page, "this caller may not choose it")
        field.fill("pk_reader")
        field.press("Enter")
        assert page.settled().items()
        expect(page.page.locator("#trouble .note")).to_have_count(0)
        assert "pk_reader" not in page.page.content()
        assert 'X-API-Key: $API_KEY"' in (page.page.locator("#curl").text_content() or "")
        page.page.reload()
        assert page.settled().items()
