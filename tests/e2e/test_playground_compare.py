"""Two answers side by side: buckets by the header that the service names, or tiers and strategies."""

import re

import pytest
from playwright.sync_api import expect
from watched import Open, Watched, ids

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = "B001NM85Q0,B006ZUNMLS,B005UBN5AQ,B001AN0UTC"
VIEW = f"/#history={HISTORY}&view=compare"


def side(page: Watched, name: str) -> list[str]:
    return ids(page.page.locator(f"#pane-{name} li[data-id]"))


def test_the_first_two_buckets_answer_the_same_history(open_page: Open) -> None:
    page = open_page(f"/#history={HISTORY}").settled()
    headers = list[str]()
    page.page.on("request", lambda request: headers.append(request.headers.get("x-ab-bucket", "")))
    page.page.get_by_role("button", name="Compare two").click()
    expect(page.page.locator("#pane-b li[data-id]")).to_have_count(10)
    page.settled()
    assert [header for header in headers if header] == ["depth=control", "depth=wide"] * 2  # plain, then explained
    for name, tier in (("a", "k10"), ("b", "k200")):
        expect(page.page.locator(f"#pane-{name} .pane-figures")).to_contain_text(tier)
        expect(page.page.locator(f"#pane-{name} .pane-figures")).to_contain_text(
            re.compile(r"[\d.]+ ms .*[\d,]+ expanded")
        )


def test_the_overlap_is_that_of_the_lists(open_page: Open) -> None:
    page = open_page(f"{VIEW}&a=floor&b=k100&k=20").settled()
    a, b = side(page, "a"), side(page, "b")
    both = set(a) & set(b)
    assert len(a) == len(b) == 20
    assert both != set(a)
    expect(page.page.locator(".verdict")).to_contain_text(f"{len(both)} of 20 in both, overlap@20 {len(both) / 20:.2f}")
    shift = sum(abs(a.index(item) - b.index(item)) for item in both) / len(both)
    expect(page.page.locator(".verdict")).to_contain_text(re.compile(rf"mean change of rank {shift:.1f}"))
    expect(page.page.locator("#pane-b li.only")).to_have_count(20 - len(both))
    expect(page.page.locator(".lines path")).to_have_count(len(both))


def test_a_side_is_a_tier_with_a_strategy_of_its_own(open_page: Open) -> None:
    page = open_page(VIEW).settled()
    expect(page.page.get_by_label("Side A strategy")).to_be_disabled()
    page.page.get_by_label("Side A runs").select_option("k20")
    page.page.get_by_label("Side A strategy").select_option("refine")
    expect(page.page.locator("#pane-a .pane-figures")).to_contain_text("refine")
    assert "a=k20%3Arefine" in page.settled().page.url


def test_a_side_that_is_refused_says_why_and_asks_again(open_page: Open) -> None:
    page = open_page(f"{VIEW}&a=floor&b=gone%3Drolled-back")
    page.expected.append("400")
    expect(page.page.locator("#pane-b .note")).to_contain_text(re.compile(r"\w.*\. *Try again"))
    expect(page.page.locator(".verdict")).to_contain_text("nothing to compare")
    page.page.get_by_label("Side B runs").select_option("k10")
    expect(page.page.locator("#pane-b li[data-id]")).to_have_count(10)
    expect(page.page.locator("#pane-b .note")).to_have_count(0)


def test_on_a_phone_both_sides_fit(open_page: Open) -> None:
    page = open_page(VIEW, width=390).settled()
    assert side(page, "a")
    assert side(page, "b")
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390


def test_popular_items_are_counted_and_not_scored(open_page: Open) -> None:
    page = open_page("/#view=compare&history=&a=k10&b=k50").settled()
    scores = page.page.locator("#pane-a .score").all_inner_texts()
    assert scores
    assert all(score.replace(",", "").isdecimal() for score in scores)
