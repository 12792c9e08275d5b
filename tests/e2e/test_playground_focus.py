"""Whoever works by keyboard stays where they were: what goes away hands the focus to what stands in its place."""

import pytest
from playwright.sync_api import Locator, expect
from watched import Open, Watched

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = ["B001NM85Q0", "B006ZUNMLS", "B005UBN5AQ", "B001AN0UTC"]
SHORT = f"/#history={','.join(HISTORY)}&tier=k10"


def pressed(button: Locator) -> None:
    button.focus()
    button.press("Enter")


def tool(page: Watched, row: int, name: str) -> Locator:
    return page.page.locator("#history li").nth(row).get_by_role("button", name=name)


def test_a_recommended_item_that_is_added_leaves_its_place_to_the_next(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    taken = page.items()[2]
    pressed(page.page.locator("#list .tool").nth(2))
    expect(page.page.locator("#history .chip")).to_have_count(5)
    assert taken not in page.settled().items()
    expect(page.page.locator("#list li").nth(2).locator(".tool")).to_be_focused()


def test_an_item_is_moved_and_removed_again_and_again_by_the_same_button(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    pressed(tool(page, 0, "Older"))
    expect(tool(page, 1, "Older")).to_be_focused()
    pressed(tool(page, 1, "Remove"))
    expect(tool(page, 1, "Remove")).to_be_focused()
    assert page.settled().history() == [HISTORY[2], HISTORY[1], HISTORY[0]]
    pressed(tool(page, 1, "Newer"))
    expect(page.page.locator("#history .chip").first).to_be_focused()  # the newest cannot become newer


def test_a_history_that_is_cleared_leads_to_the_samples(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    pressed(page.page.get_by_role("button", name="Clear", exact=True))
    expect(page.page.get_by_role("button", name="Sample user")).to_be_focused()
    expect(page.page.locator("#history-status")).to_have_text("The history is empty.")


def test_trying_again_keeps_the_button_or_leads_to_the_answer(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    page.expected.append("ERR_FAILED")
    page.page.route("**/recommend", lambda route: route.abort())
    page.page.get_by_role("slider", name="Compute budget").press("End")
    again = page.page.get_by_role("button", name="Try again")
    pressed(again)
    expect(page.page.locator("main")).to_have_attribute("data-state", "refused")
    expect(again).to_be_focused()
    page.page.unroute_all()
    again.press("Enter")
    expect(page.settled().page.locator("#main")).to_be_focused()
