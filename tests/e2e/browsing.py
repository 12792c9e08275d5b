"""A real service, a real Chromium, and pages that are watched while a test drives them.

A module asks for these fixtures by `pytest_plugins = ["browsing"]`; the option `--pictures` is in tests/conftest.py.
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from watched import Open, Watched

from loadtest.bench.service import Service

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 20_000  # a limit for what never comes, not an expectation
BUNDLE = ROOT / "models/bundles/beauty"
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no request leaves this machine
EXPERIMENTS = """
experiments:
  - name: depth
    buckets:
      - {name: control, weight: 0.5, tier: k10}
      - {name: wide, weight: 0.5, tier: k200}
"""


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """Where screenshots are kept, if they are wanted."""
    chosen = request.config.getoption("--pictures", default=None)
    if not chosen:
        return None
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """The service, started and ended from another thread: Playwright's own event loop occupies this one."""
    with ThreadPoolExecutor(1) as aside:
        aside.submit(service.__enter__).result()
        try:
            yield service
        finally:
            aside.submit(service.__exit__, None, None, None).result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; as root it runs without its sandbox.

    For one module only: while Playwright is open, no other test of the session can run an event loop.
    """
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium here; the package chromium brings it")
    options = [NOBODY_ELSE] if os.geteuid() else [NOBODY_ELSE, "--no-sandbox"]
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The shipped bundle with an experiment of two buckets."""
    if not (BUNDLE / "manifest.json").is_file():
        pytest.skip("this checkout ships no bundle in models/bundles/beauty")
    folder = tmp_path_factory.mktemp("served")
    experiments = folder / "experiments.yaml"
    experiments.write_text(EXPERIMENTS)
    with running(Service(folder / "log", experiments=experiments)) as service:
        yield service


@pytest.fixture
def open_page(browser: Browser, served: Service) -> Iterator[Open]:
    """Opens watched pages, by default of `served`: open_page("/#k=5", width=390, scheme="dark").

    At the end of the test no page may have complained or asked elsewhere.
    """
    pages = list[Watched]()
    with ExitStack() as closing:

        def opened(path: str = "/", *, base: str = served.url, width: int = 1280, **options: Any) -> Watched:
            page = Watched(browser, base, width, **options)
            closing.callback(page.close)
            pages.append(page)
            page.go(path)
            return page

        yield opened
        for page in pages:
            page.blameless()
