"""The status page in a real browser: its own reading of the text format and its sums are right, and it says what is."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from made import made_catalogue
from playwright.sync_api import Browser, Page, sync_playwright
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
HISTORY = list(made_catalogue().ids[:5])
DURATION = "promise_request_duration_seconds"
REQUESTS = "promise_requests_total"
SUMS = """async ([first, second]) => {
  const { parsed } = await import("/web/status/exposition.js");
  const { Window } = await import("/web/status/window.js");
  const readings = new Window();
  readings.add(parsed(first), 0);
  readings.add(parsed(second), 10);
  const view = readings.last(30);
  return {
    rate: view.rate("promise_requests_total"),
    statuses: Object.fromEntries(view.by("promise_requests_total", "status")),
    half: view.quantile("promise_request_duration_seconds", 0.5, { bucket: "a" }),
    none: view.quantile("promise_request_duration_seconds", 0.5, { bucket: "b" }),
    depth: view.now("promise_queue_depth"),
    later: readings.last(5).seconds,
  };
}"""

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service over a made catalogue, as a process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROMISE_")}
    command = [sys.executable, str(ROOT / "tests/fake_service.py"), str(port), "0", "0"]
    process = subprocess.Popen(command, env=inherited | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and process.poll() is None:
        try:
            httpx.get(f"{url}/health/ready", timeout=10, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the service did not get ready")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=alone)


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The status page, open; a problem on its console is an error here."""
    found, problems = browser.new_page(), list[str]()
    found.on("console", lambda message: problems.append(message.text))
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.goto(f"{address}/status")
    yield found
    assert not problems


def recommend(address: str, times: int) -> None:
    with httpx.Client(base_url=address, trust_env=False) as client:
        for _ in range(times):
            client.post("/recommend", json={"history": HISTORY, "budget": "k20"}).raise_for_status()


def test_the_text_is_read_as_prometheus_reads_it(page: Page, address: str) -> None:
    recommend(address, 2)
    text = httpx.get(f"{address}/metrics", trust_env=False).text
    text += '# TYPE odd gauge\nodd{a="q\\"uote, }{",b="back\\\\slash\\nline"} +Inf\n'
    read = page.evaluate("async (text) => (await import('/web/status/exposition.js')).parsed(text)", text)
    families = [(family, sample) for family in text_string_to_metric_families(text) for sample in family.samples]
    expected = [
        {
            "name": sample.name,
            "labels": sample.labels,
            "value": sample.value,
            "grows": family.type in ("counter", "histogram"),
        }
        for family, sample in families
    ]
    assert len(expected) > 50
    assert read == expected


def figures(answered: int, failed: int, late: int, depth: int) -> str:
    """An exposition; 10 recommendations took up to 10 ms, `late` further ones up to 20 ms."""
    return f"""# TYPE {REQUESTS} counter
{REQUESTS}{{bucket="a",status="200"}} {answered}
{REQUESTS}{{bucket="a",status="503"}} {failed}
# TYPE {DURATION} histogram
{DURATION}_bucket{{bucket="a",le="0.01"}} 10.0
{DURATION}_bucket{{bucket="a",le="0.02"}} {10 + late}
{DURATION}_bucket{{bucket="a",le="+Inf"}} {10 + late}
# TYPE promise_queue_depth gauge
promise_queue_depth {depth}
"""


def test_growth_is_counted_from_one_reading_to_the_next(page: Page) -> None:
    sums: dict[str, Any] = page.evaluate(SUMS, [figures(100, 0, 0, 3), figures(140, 10, 20, 7)])
    assert sums == {
        "rate": pytest.approx(5.0),
        "statuses": {"200": 40, "503": 10},
        "half": {"value": pytest.approx(0.015), "low": 0.01, "high": 0.02},
        "none": None,
        "depth": 7,
        "later": 10,
    }


def test_a_restart_counts_from_zero(page: Page) -> None:
    sums: dict[str, Any] = page.evaluate(SUMS, [figures(140, 10, 20, 7), figures(20, 10, 20, 7)])
    assert sums["statuses"] == {"200": 20}


def test_it_says_what_is_and_stops_when_told(page: Page, address: str) -> None:
    page.wait_for_selector('#main[data-state="live"]')
    recommend(address, 30)
    page.wait_for_selector('#budget b:text-is("100 %")')
    assert page.inner_text("#ready") == "Ready"
    assert "made@1" in page.inner_text("#process")
    assert page.inner_text("#budget .shares li:first-child span") == "k20"
    assert [cell.split()[0] for cell in page.locator("#search tbody th").all_inner_texts()] == ["1", "2", "3"]
    page.press("#pause", "Enter")
    assert page.get_attribute("#main", "data-state") == "paused"
    page.wait_for_timeout(200)  # a reading that was under way
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert not asked


def test_a_service_that_is_away_is_said_to_be(browser: Browser, address: str) -> None:
    other = browser.new_page()
    other.goto(f"{address}/status")
    other.wait_for_selector('#main[data-state="live"]')
    other.route("**/metrics", lambda route: route.abort())
    other.wait_for_selector('#main[data-state="away"]')
    assert other.inner_text("#trouble").startswith("The service does not answer.")
    assert other.inner_text("#ready") == "Not reachable"
    other.unroute("**/metrics")
    other.wait_for_selector('#main[data-state="live"]')
    assert not other.is_visible("#trouble")
    other.close()
