"""The curl of what one sees is the call that was made, whatever the shell thinks of its characters."""

import json
import shlex
import shutil
import subprocess
from typing import Any

import pytest
from playwright.sync_api import expect
from watched import Open, Watched

pytest_plugins = ["browsing"]
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]

HISTORY = "B001NM85Q0,B006ZUNMLS,B005UBN5AQ,B001AN0UTC"
HOSTILE = """it's "$HOME" `id` \\ & é%"""


def run(command: str) -> dict[str, Any]:
    """What a shell makes of it."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def shown(page: Watched) -> str:
    return page.settled().page.locator("#curl").inner_text()


def test_the_curl_is_what_was_sent_and_gets_the_same_items(open_page: Open) -> None:
    page = open_page(f"/#history={HISTORY}&tier=k500").settled()
    with page.page.expect_request("**/recommend") as asked:
        page.page.get_by_role("slider", name="Compute budget").press("ArrowRight")
    words = shlex.split(shown(page).replace("\\\n", ""))
    assert json.loads(words[words.index("-d") + 1]) == json.loads(asked.value.post_data or "")
    assert asked.value.url in words
    answer = run(shown(page))
    assert [item["item_id"] for item in answer["items"]] == page.items()
    assert answer["budget"]["tier"] == "k1000"


def test_a_shell_reads_every_character_as_it_stands(open_page: Open) -> None:
    page = open_page("/").settled()
    page.page.evaluate("id => { location.hash = `#history=B001NM85Q0,${encodeURIComponent(id)}`; }", HOSTILE)
    expect(page.page.locator("#history .chip")).to_have_count(2)
    answer = run(shown(page))
    assert answer["history"] == {"used": 1, "unknown": 1, "truncated": 0, "stored": False}
    words = shlex.split(shown(page).replace("\\\n", ""))
    assert json.loads(words[words.index("-d") + 1])["history"] == ["B001NM85Q0", HOSTILE]


def test_a_comparison_shows_both_calls_with_their_headers(open_page: Open) -> None:
    page = open_page(f"/#history={HISTORY}&view=compare")
    calls = shown(page).split("\n\n")
    assert [run(call)["budget"]["tier"] for call in calls] == ["k10", "k200"]


def test_the_copy_button_copies(open_page: Open) -> None:
    page = open_page("/", permissions=["clipboard-read", "clipboard-write"]).settled()
    page.page.get_by_role("button", name="Copy curl").click()
    expect(page.page.locator("#copy")).to_have_text("Copied")
    assert page.page.evaluate("navigator.clipboard.readText()") == shown(page)


def test_the_raw_answer_is_the_answer(open_page: Open) -> None:
    page = open_page("/").settled()
    page.page.get_by_text("Raw answer").click()
    raw = json.loads(page.page.locator("#raw").inner_text())
    assert [item["item_id"] for item in raw["items"]] == page.items()
    assert "search" not in raw
