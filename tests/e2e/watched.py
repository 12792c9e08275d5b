"""A page under watch: what it complained of, whom it asked, what it transferred."""

import re
from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import Browser, ConsoleMessage, Locator, Request, ViewportSize, expect

HEIGHT = 900
PHONE = 500  # px; what is narrower has a touch screen
GRAVE = {"serious", "critical"}
MOVES = 600  # ms; longer than any movement on the page


class Watched:
    """One browser context with one page, at `base`.

    `expected`: patterns of console messages that this test provokes.
    """

    def __init__(self, browser: Browser, base: str, width: int = 1280, scheme: str = "light", **options: Any) -> None:
        self.base, self.expected = base, list[str]()
        self._complaints, self._elsewhere, self._finished = list[str](), list[str](), list[Request]()
        phone = width < PHONE
        self._context = browser.new_context(
            viewport=ViewportSize(width=width, height=HEIGHT),
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=phone,
            is_mobile=phone,
            **options,
        )
        self.page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("request", self._watch)
        self.page.on("pageerror", lambda error: self._complaints.append(f"uncaught: {error}"))
        self.page.on("requestfinished", lambda request: self._finished.append(request))

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def close(self) -> None:
        self._context.close()

    def settled(self) -> "Watched":
        """Once the answer is there, the search laid open, and everything in its place."""
        expect(self.page.locator("main")).to_have_attribute("data-state", "ready")
        return self

    def blameless(self) -> None:
        """No error or warning on the console, no uncaught exception, no request to another host."""
        unforeseen = [said for said in self._complaints if not any(re.search(one, said) for one in self.expected)]
        assert not unforeseen
        assert not self._elsewhere

    def grave(self) -> list[str]:
        """What axe finds serious or critical: rule and the elements at fault."""
        self.page.wait_for_timeout(MOVES)  # a colour in transition has no contrast of its own
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found if one["impact"] in GRAVE]

    def transferred(self) -> int:
        """Bytes of all answers so far, headers and bodies as they came over the wire."""
        sizes = [request.sizes() for request in self._finished]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)

    def items(self) -> list[str]:
        """Ids of the list, best first."""
        return ids(self.page.locator("#list li[data-id]"))

    def history(self) -> list[str]:
        """Ids of the history as the page shows it, newest first."""
        return ids(self.page.locator("#history .chip"))

    def _watch(self, request: Request) -> None:
        if not request.url.startswith(f"{self.base}/"):
            self._elsewhere.append(request.url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complaints.append(message.text)


def ids(elements: Locator) -> list[str]:
    """The ids of the items that these elements show."""
    found: list[str] = elements.evaluate_all("all => all.map((one) => one.dataset.id)")
    return found


Open = Callable[..., Watched]
