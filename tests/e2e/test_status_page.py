"""/status beside a service under a little traffic: figures appear, nothing complains, everyone can read it."""

import pytest
from playwright.sync_api import expect
from watched import Open

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_status_page_fills_with_the_service_s_own_figures(width: int, scheme: str, open_page: Open) -> None:
    page = open_page("/status", width=width, scheme=scheme)
    expect(page.page.locator("#ready")).to_have_attribute("data-ready", "yes")
    for budget in ("k10", "k50", "auto"):
        for item in ("B001NM85Q0", "B006ZUNMLS"):
            page.page.request.post(f"{page.base}/recommend", data={"history": [item], "budget": budget})
    expect(page.page.locator("[data-figure=p50] .value")).not_to_have_text("–", timeout=15_000)
    expect(page.page.locator("#stages dt").last).to_have_text("other")
    assert page.grave() == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == width
