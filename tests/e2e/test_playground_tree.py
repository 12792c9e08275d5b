"""The search tree tells what the service's own explanation says, and is walked by keys."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from watched import Open, Watched

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = ["B001NM85Q0", "B006ZUNMLS", "B005UBN5AQ", "B001AN0UTC"]
ASKED = {"history": HISTORY, "k": 10, "budget": "k20", "explain": True}
VIEW = f"/#history={','.join(HISTORY)}&tier=k20"


def explanation(page: Watched) -> dict[str, Any]:
    """The same question, asked anew."""
    told: dict[str, Any] = page.page.request.post(f"{page.base}/recommend", data=ASKED).json()
    return told


def node(page: Watched, sid: list[int]) -> Locator:
    return page.page.locator(f'#tree .node[data-key="{".".join(map(str, sid))}"]')


def focused(page: Watched) -> str:
    """The codes of the node that has the focus, joined by dots."""
    return page.page.locator("#tree .node:focus").get_attribute("data-key") or ""


def test_every_candidate_is_drawn_with_its_fate(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    for level in explanation(page)["search"]["levels"]:
        for one in level["candidates"]:
            fate = "rescued" if one["rescued"] else "kept" if one["kept"] else "pruned"
            expect(node(page, one["sid"])).to_have_class(re.compile(rf"\b{fate}\b"))
        expect(node(page, level["rejected"]["sid"])).to_have_attribute(
            "aria-label", re.compile("strongest of the pruned")
        )


def test_the_strongest_that_lost_says_by_how_much(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    lost = explanation(page)["search"]["levels"][1]["rejected"]
    node(page, lost["sid"]).click()
    expect(page.page.locator("#node")).to_contain_text(f"missed the last place by {lost['lost_by']:.3f}")


def test_the_counts_are_those_of_the_explanation(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    levels = explanation(page)["search"]["levels"]
    for level in levels:
        expect(page.page.locator("#tree .level-head").nth(level["level"] - 1)).to_contain_text(f"→ {level['kept']}")
    expect(page.page.locator("#tile-compute b")).to_have_text(f"{sum(level['expanded'] for level in levels):,}")


def test_the_path_of_an_item_of_the_list_is_shown(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    third = explanation(page)["items"][2]
    page.page.locator("#list .row").nth(2).click()
    expect(page.page.locator("#tree .node.on")).to_have_count(3)
    expect(node(page, third["sid"])).to_have_attribute("aria-pressed", "true")
    because = [one for one in third["trace"][2]["because"] if one["change"] < 0]
    expect(page.page.locator("#node .halves > div").nth(1).locator("li")).to_have_count(len(because))


def test_the_tree_is_walked_and_chosen_from_by_keys(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    page.page.locator('#tree .node[tabindex="0"]').focus()
    start = focused(page)
    assert start.count(".") == 2
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    assert focused(page) == start.split(".")[0]
    page.page.keyboard.press("ArrowRight")
    assert focused(page).startswith(f"{start.split('.')[0]}.")
    page.page.keyboard.press("Home")
    top = focused(page)
    page.page.keyboard.press("ArrowDown")
    below = focused(page)
    assert below != top
    page.page.keyboard.press("Enter")
    expect(page.page.locator(f'#tree .node[data-key="{below}"]')).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#node h3")).to_contain_text(below.replace(".", "·"))
    page.page.keyboard.press("ArrowUp")
    assert focused(page) == top


def test_one_node_is_a_stop_of_the_tab_key(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    expect(page.page.locator('#tree .node[tabindex="0"]')).to_have_count(1)


def test_choosing_a_leaf_chooses_its_item(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    second = explanation(page)["items"][1]
    node(page, second["sid"]).focus()
    page.page.keyboard.press("Enter")
    expect(page.page.locator(f'#list li[data-id="{second["item_id"]}"] .row')).to_have_attribute("aria-pressed", "true")


def test_the_table_says_the_same(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    page.page.get_by_text("The same as a table").click()
    rows = page.page.locator("#tree-table tbody tr")
    expect(rows).to_have_count(page.page.locator("#tree .node").count())
    level = explanation(page)["search"]["levels"][0]
    said = f"Level 1: {level['expanded']} expanded, {level['kept']} kept, {level['rescued']} rescued"
    expect(page.page.locator("#tree-table caption").first).to_contain_text(said)


def test_links_of_a_tree_never_cross(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    script = "all => all.map((one) => [one.dataset.key, one.getBoundingClientRect().y])"
    places: dict[str, float] = dict(page.page.locator("#tree .node").evaluate_all(script))
    for level in (2, 3):
        keys = sorted((key for key in places if key.count(".") == level - 1), key=places.__getitem__)
        parents = [places[key.rpartition(".")[0]] for key in keys]
        assert parents == sorted(parents)
        heights = [places[key] for key in keys]
        assert all(after - before > 20 for before, after in pairwise(heights))


def test_a_plain_beam_says_that_no_prm_ran(open_page: Open) -> None:
    page = open_page(VIEW.replace("k20", "floor")).settled()
    expect(page.page.locator("#node")).to_contain_text("no PRM ran")
    expect(page.page.locator("#tree .node.rescued")).to_have_count(0)
