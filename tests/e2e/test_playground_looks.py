"""How it looks and feels: both schemes, both widths, for readers of screens and for fingers; nothing jumps."""

import pytest
from playwright.sync_api import expect
from watched import Open, Watched

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = "B001NM85Q0,B006ZUNMLS,B005UBN5AQ,B001AN0UTC"
VIEWS = {
    "explore": f"/#history={HISTORY}&tier=k20",
    "compare": f"/#history={HISTORY}&view=compare",
    "popular": "/#history=",
    "scan": f"/#history={HISTORY}&tier=exact",
}
FINGER = 44  # px
SHIFT = 0.1  # of the layout, in the unit of the Layout Instability API; above it a page is said to jump
SMALL = """
all => all.filter((one) => one.checkVisibility())
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => Math.round(box.width) < FINGER || Math.round(box.height) < FINGER).map(([html]) => html)
""".replace("FINGER", str(FINGER))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_open_to_all(view: str, scheme: str, width: int, open_page: Open) -> None:
    page = open_page(VIEWS[view], width=width, scheme=scheme).settled()
    assert page.grave() == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == width


def test_what_opens_is_open_to_all(open_page: Open) -> None:
    page = open_page(VIEWS["explore"]).settled()
    page.page.get_by_text("The same as a table").click()
    page.page.get_by_text("Raw answer").click()
    page.page.get_by_role("combobox", name="Add an item").fill("shampoo")
    expect(page.page.locator("#search-list [role=option]").first).to_be_visible()
    assert page.grave() == []


@pytest.mark.parametrize("view", ["explore", "compare"])
def test_fingers_hit_what_they_aim_at(view: str, open_page: Open) -> None:
    page = open_page(VIEWS[view], width=390).settled()
    assert page.page.locator("button, select, input, summary, nav a, .node .hit").evaluate_all(SMALL) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_while_the_page_fills(width: int, open_page: Open) -> None:
    page = open_page(VIEWS["explore"], width=width).settled()
    assert shifted(page) < SHIFT


def test_nothing_jumps_while_the_knob_turns(open_page: Open) -> None:
    page = open_page(VIEWS["explore"]).settled()
    before = heights(page)
    for _ in range(3):
        page.page.get_by_role("slider", name="Compute budget").press("ArrowLeft")
        page.settled()
    assert [heights(page)[part] for part in ("figures", "list")] == [before[part] for part in ("figures", "list")]


def test_who_wants_no_motion_gets_none(open_page: Open) -> None:
    page = open_page(VIEWS["explore"], reduced_motion="reduce").settled()
    page.page.get_by_role("slider", name="Compute budget").press("Home")
    page.page.get_by_role("slider", name="Compute budget").press("ArrowRight")
    expect(page.page.locator("#tile-tier b")).to_have_text("floor")
    assert page.page.evaluate("document.getAnimations().length") == 0


def test_the_theme_is_chosen_and_kept(open_page: Open) -> None:
    page = open_page(VIEWS["explore"]).settled()
    light = background(page)
    page.page.get_by_role("button", name="Theme: auto").click()
    page.page.get_by_role("button", name="Theme: light").click()
    dark = background(page)
    assert dark != light
    page.page.reload()
    assert background(page.settled()) == dark
    expect(page.page.get_by_role("button", name="Theme: dark")).to_be_visible()


def test_the_page_is_reached_by_the_tab_key_from_the_top(open_page: Open) -> None:
    page = open_page(VIEWS["explore"]).settled()
    page.page.keyboard.press("Tab")
    expect(page.page.get_by_role("link", name="Skip to the recommendations")).to_be_focused()
    page.page.keyboard.press("Enter")
    page.page.keyboard.press("Tab")
    expect(page.page.get_by_role("button", name="Explore")).to_be_focused()


def shifted(page: Watched) -> float:
    """All that moved without being asked to, since the page began to load."""
    watch = "new PerformanceObserver((list) => done(list.getEntries().reduce((sum, one) => sum + one.value, 0)))"
    script = f"""() => new Promise((done) => {{
      {watch}.observe({{ type: "layout-shift", buffered: true }});
      setTimeout(() => done(0), 300);
    }})"""
    moved: float = page.page.evaluate(script)
    return moved


def heights(page: Watched) -> dict[str, float]:
    script = "all => Object.fromEntries(all.map((one) => [one.id, one.getBoundingClientRect().height]))"
    found: dict[str, float] = page.page.locator("#figures, #list").evaluate_all(script)
    return found


def background(page: Watched) -> str:
    colour: str = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour
