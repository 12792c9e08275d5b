"""A bundle whose owner gave titles: the page shows and finds items by them."""

import csv
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from browsing import BUNDLE, running
from playwright.sync_api import expect
from watched import Open

from loadtest.bench.service import Service
from models.titles import add_titles

pytest_plugins = ["browsing"]
pytestmark = pytest.mark.e2e

TITLED = "B001NM85Q0"
TITLE = "Night cream <b>with</b> retinol & a long story about where it comes from"


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The shipped bundle with made titles for half of its items."""
    folder = tmp_path_factory.mktemp("titled")
    bundle = shutil.copytree(BUNDLE, folder / "bundle")
    with np.load(bundle / "catalogue.npz") as catalogue:
        named = sorted({TITLED, *map(str, catalogue["ids"][::2])})
    with (folder / "items.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["item_id", "title"])
        rows.writerows([item, TITLE if item == TITLED else f"Made title of {item}"] for item in named)
    add_titles(bundle, folder / "items.csv")
    with running(Service(folder / "log", bundle=bundle)) as service:
        yield service


def test_titles_name_items_and_find_them(titled: Service, open_page: Open) -> None:
    page = open_page("/#history=B006ZUNMLS", base=titled.url).settled()
    page.page.get_by_role("combobox", name="Add an item").fill("retinol story")
    option = page.page.locator("#search-list [role=option]")
    expect(option).to_have_count(1)
    expect(option.locator(".name")).to_have_text(TITLE)
    option.click()
    expect(page.page.locator(f'#history .chip[data-id="{TITLED}"] .name')).to_have_text(TITLE)
    names = page.settled().page.locator("#list .name").all_inner_texts()
    assert any(name.startswith("Made title of ") for name in names)
    assert any(not name.startswith("Made title of ") for name in names)
    assert page.grave() == []
