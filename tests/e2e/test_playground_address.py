"""A view can be shared: its address shows it again, and nonsense in an address does no harm."""

import pytest
from playwright.sync_api import expect
from watched import Open

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = ["B001NM85Q0", "B006ZUNMLS"]
LINK = f"/#history={','.join(HISTORY)}&tier=k50&strategy=relaxed&k=7&category=Beauty%20%3E%20Makeup&deadline=1800"


def test_a_link_shows_the_view_it_names(open_page: Open) -> None:
    page = open_page(LINK).settled()
    assert page.history() == HISTORY[::-1]
    assert len(page.items()) == 7
    expect(page.page.locator("#tile-tier .value")).to_have_text("k50 relaxed")
    expect(page.page.get_by_label("Only category")).to_have_value("Beauty > Makeup")
    expect(page.page.get_by_label("Deadline, ms")).to_have_value("1800")


def test_what_one_does_is_in_the_address(open_page: Open) -> None:
    first = open_page(LINK).settled()
    first.page.locator("#list .row").nth(2).click()
    first.page.get_by_role("slider", name="Compute budget").press("ArrowLeft")
    expect(first.settled().page.locator("#tile-tier b")).to_have_text("k20")
    second = open_page(first.page.url.removeprefix(first.base)).settled()
    assert second.items() == first.items()
    chosen = '#list .row[aria-pressed="true"] .name'
    assert second.page.locator(chosen).inner_text() == first.page.locator(chosen).inner_text()


def test_an_emptied_history_stays_empty(open_page: Open) -> None:
    first = open_page("/").settled()
    first.page.get_by_role("button", name="Clear", exact=True).click()
    expect(first.settled().page.locator("#list-note")).to_contain_text("most popular")
    second = open_page(first.page.url.removeprefix(first.base)).settled()
    assert second.history() == []


def test_another_address_in_the_same_tab_is_followed(open_page: Open) -> None:
    page = open_page(LINK).settled()
    page.page.evaluate("location.hash = '#history=B005UBN5AQ&k=3'")
    expect(page.page.locator("#list li[data-id]")).to_have_count(3)
    assert page.settled().history() == ["B005UBN5AQ"]


@pytest.mark.parametrize(
    "hash_", ["#k=-4&deadline=soon&view=sideways&nothing=1", "#history=%E0%A4%A&k=", "#&&=&k=99999"]
)
def test_nonsense_does_no_harm(hash_: str, open_page: Open) -> None:
    page = open_page(f"/{hash_}").settled()
    assert page.items()
    assert page.history()
