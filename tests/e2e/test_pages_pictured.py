"""The pages as pictures, for README.md and for whoever wants to look: `--pictures FOLDER` keeps them."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FloatRect, expect
from watched import PHONE, Open, Watched

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

HISTORY = "B001NM85Q0,B006ZUNMLS,B005UBN5AQ,B001AN0UTC"
MOST_BYTES = 200_000
COLOURS = 256
PHONE_HEIGHT = 1760  # px; the rest of a phone's page would make a ribbon


@pytest.fixture
def folder(pictures: Path | None, tmp_path: Path) -> Path:
    return pictures or tmp_path


def turned(page: Watched) -> Watched:
    """From the plain beam to k20, so that the list has something to tell."""
    page.settled()
    for key in ("ArrowRight", "ArrowRight"):
        page.page.get_by_role("slider", name="Compute budget").press(key)
        page.settled()
    expect(page.page.locator("#tile-tier b")).to_have_text("k20")
    page.page.locator("#list .row").nth(1).click()
    page.page.mouse.move(0, 0)
    page.page.evaluate("scrollTo(0, 0)")
    page.page.wait_for_timeout(600)
    return page


def kept(picture: bytes, path: Path) -> None:
    """As a file small enough for a repository: no picture here has more colours than fit a palette."""
    with Image.open(BytesIO(picture)) as image:
        assert len(image.getcolors(image.width * image.height) or []) > 20
        image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_playground(width: int, scheme: str, open_page: Open, folder: Path) -> None:
    page = turned(open_page(f"/#history={HISTORY}&tier=floor", width=width, scheme=scheme))
    clip = FloatRect(x=0, y=0, width=width, height=PHONE_HEIGHT) if width < PHONE else None
    kept(page.page.screenshot(full_page=True, clip=clip), folder / f"playground-{width}-{scheme}.png")


def test_the_tree(open_page: Open, folder: Path) -> None:
    page = turned(open_page(f"/#history={HISTORY}&tier=floor"))
    kept(page.page.locator("section.tree").screenshot(), folder / "tree.png")


def test_the_status_page(open_page: Open, folder: Path) -> None:
    page = open_page("/status")
    for round_ in range(12):
        for budget in ("k10", "k20", "k50", "auto", "floor"):
            asked = {"history": HISTORY.split(",")[: 1 + round_ % 4], "budget": budget, "user_id": f"user {round_}"}
            page.page.request.post(f"{page.base}/recommend", data=asked)
        page.page.wait_for_timeout(900)
    expect(page.page.locator("[data-figure=p50] .value")).not_to_have_text("–")
    kept(page.page.screenshot(full_page=True), folder / "status.png")


def test_the_comparison(open_page: Open, folder: Path) -> None:
    page = open_page(f"/#history={HISTORY}&view=compare&a=floor&b=k50").settled()
    kept(page.page.screenshot(full_page=True), folder / "compare.png")
