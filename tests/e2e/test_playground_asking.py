"""Asking: search, history, the knob, the fields; what the page shows is what the service answered."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Request, expect
from watched import Open, Watched

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = ["B001NM85Q0", "B006ZUNMLS", "B005UBN5AQ", "B001AN0UTC"]
SHORT = f"/#history={','.join(HISTORY)}&tier=k10"


def sent(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.post_data or "{}")
    return body


def test_an_item_is_searched_and_added_from_the_keyboard(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    field = page.page.get_by_role("combobox", name="Add an item to the history")
    field.press_sequentially("shampoo dove")
    expect(field).to_have_attribute("aria-expanded", "true")
    option = page.page.locator("#search-list [role=option]").first
    expect(option).to_contain_text("Shampoo")
    expect(option).to_contain_text("Dove")
    field.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    wanted = option.get_attribute("data-id")
    field.press("Enter")
    expect(page.page.locator("#history .chip")).to_have_count(5)
    assert page.settled().history() == [wanted, *reversed(HISTORY)]
    assert wanted not in page.items()
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-expanded", "false")


def test_what_no_item_has_is_said(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    page.page.get_by_role("combobox", name="Add an item").fill("shampoo for dragons")
    expect(page.page.locator("#search-list")).to_have_text("No item has all of these words.")


def test_the_history_is_moved_and_shortened_from_the_keyboard(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    newest = page.page.locator("#history .chip").first
    newest.focus()
    newest.press("Alt+ArrowDown")
    assert page.settled().history() == [HISTORY[2], HISTORY[3], HISTORY[1], HISTORY[0]]
    focused = page.page.locator("#history .chip:focus")
    expect(focused).to_have_attribute("data-id", HISTORY[3])
    focused.press("ArrowUp")
    focused.press("Delete")
    expect(page.page.locator("#history .chip")).to_have_count(3)
    assert page.settled().history() == [HISTORY[3], HISTORY[1], HISTORY[0]]


def test_an_empty_history_gets_the_popular_items_and_is_told_so(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    page.page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.page.locator("#list-note")).to_contain_text("most popular")
    expect(page.page.locator("#tree")).to_contain_text("Nothing was searched")
    page.settled().page.get_by_role("button", name="Sample user").click()
    expect(page.page.locator("#tree .node").first).to_be_visible()
    assert page.settled().history()


def test_the_knob_asks_again_and_the_list_tells_what_changed(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    before, knob = page.items(), page.page.get_by_role("slider", name="Compute budget")
    expect(knob).to_have_attribute("aria-valuetext", re.compile(r"^k10, K′ 10 of K\+ 40, about [\d.]+ ms$"))
    with page.page.expect_request("**/recommend") as asked:
        knob.press("ArrowLeft")
    assert sent(asked.value)["budget"] == "floor"
    expect(page.settled().page.locator("#tile-tier b")).to_have_text("floor")
    after = page.items()
    assert after != before
    expect(page.page.locator("#list li.new")).to_have_count(len(set(after) - set(before)))
    for at, item in enumerate(after):
        mark = page.page.locator(f'#list li[data-id="{item}"] .move .unseen')
        by = before.index(item) - at if item in before else None
        expect(mark).to_have_text(
            "new" if by is None else f"up {by}" if by > 0 else f"down {-by}" if by else "same place"
        )
    expect(page.page.locator("#list-note")).to_contain_text("against k10")


def test_of_many_steps_the_last_one_is_shown(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    knob = page.page.get_by_role("slider", name="Compute budget")
    for _ in range(4):
        knob.press("ArrowRight")
    expect(page.settled().page.locator("#tile-tier b")).to_have_text("k200")
    expect(page.page.locator("#tile-tier")).to_contain_text("as asked")
    expect(page.page.locator("#tile-compute")).to_contain_text("K′ 200 of K+ 800")


def test_a_scan_takes_no_strategy_and_has_no_tree(open_page: Open) -> None:
    page = open_page(f"{SHORT}&strategy=refine").settled()
    expect(page.page.locator("#tile-tier .value")).to_contain_text("refine")
    page.page.get_by_role("slider", name="Compute budget").press("End")
    expect(page.page.locator("#tile-tier b")).to_have_text("exact")
    expect(page.settled().page.get_by_label("Strategy")).to_be_disabled()
    expect(page.page.locator("#tree")).to_contain_text("A scan scores every item at once")


def test_the_fields_reach_the_service(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    page.page.get_by_label("Items", exact=True).fill("4")
    page.page.get_by_label("Only category").fill("Beauty > Fragrance")
    with page.page.expect_request(lambda request: "latency_ms" in (request.post_data or "")) as asked:
        page.page.get_by_label("Deadline, ms").fill("1500")
        page.page.get_by_label("Deadline, ms").press("Tab")
    body = sent(asked.value)
    assert (body["k"], body["filter"]) == (4, {"category": "Beauty > Fragrance"})
    assert body["budget"] == {"tier": "k10", "latency_ms": 1500}
    assert len(page.settled().items()) == 4


def test_a_field_shows_what_is_asked_whatever_was_typed(open_page: Open) -> None:
    page = open_page(f"{SHORT}&k=100").settled()
    for label, typed, shown in (("Items", "1000", "100"), ("Deadline, ms", "-5", "")):
        field = page.page.get_by_role("spinbutton", name=label)
        field.fill(typed)
        field.press("Tab")
        expect(field).to_have_value(shown)


def test_what_of_a_history_is_not_used_is_said(open_page: Open) -> None:
    page = open_page("/#history=nobody,sells,this&tier=k10").settled()
    expect(page.page.locator("#history-count")).to_have_text("3 of 3 unknown")
    asked = list[str]()
    page.page.on("request", lambda request: asked.append(request.url))
    page.page.get_by_role("slider", name="Compute budget").press("ArrowRight")
    expect(page.settled().page.locator("#knob-said")).to_contain_text("k20")
    assert asked
    assert not [url for url in asked if "/catalogue/items" in url]  # what is unknown is asked for once
    catalogue = page.page.request.get(f"{page.base}/catalogue/items?limit=60").json()
    ids = ",".join(item["item_id"] for item in catalogue["items"])
    page = open_page(f"/#history={ids}&tier=k10").settled()
    expect(page.page.locator("#history-count")).to_have_text("newest 50 of 60 used")


def test_the_ladder_shows_what_the_tiers_cost_by_now(open_page: Open) -> None:
    page = open_page(SHORT).settled()
    with page.page.expect_response("**/catalogue") as told:
        page.page.get_by_role("slider", name="Compute budget").press("ArrowRight")
    page.settled()
    tiers = {tier["name"]: tier["ms"] for tier in told.value.json()["bundles"][0]["tiers"] if tier["ms"] is not None}
    for name, ms in tiers.items():
        shown = page.page.locator(f'.stop[data-tier="{name}"] .cost').inner_text()
        assert float(shown) == pytest.approx(ms, rel=0.06)


def test_the_page_measures_its_own_plain_calls(open_page: Open) -> None:
    page = open_page(SHORT)
    tile = page.settled().page.locator("#tile-session")
    expect(tile).to_contain_text("over 1 call")
    for key in ("ArrowRight", "ArrowLeft"):
        page.page.get_by_role("slider", name="Compute budget").press(key)
        page.settled()
    expect(tile).to_contain_text("over 3 calls")
    times = plain_calls(page)
    assert len(times) == 3
    assert float(tile.locator("b").inner_text()) == pytest.approx(sorted(times)[1], rel=0.02)


def plain_calls(page: Watched) -> list[float]:
    """Milliseconds from start to end of the page's calls without `explain`, as the browser itself noted them."""
    calls = "performance.getEntriesByType('resource').filter((one) => /recommend$/.test(one.name))"
    both: list[float] = page.page.evaluate(f"{calls}.map((one) => one.duration)")
    return both[::2]  # every plain call is followed by its explained one
