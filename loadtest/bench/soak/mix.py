"""What is asked in a soak: everything the service offers, right and wrong, in shares like those of a day."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from loadtest.bench.soak.calls import Call, posted
from loadtest.bench.soak.people import People
from loadtest.bench.soak.wrong import mistaken
from loadtest.checks import Wanted, fault
from loadtest.client import Reply, request
from loadtest.crowd import Crowd

SHARES = {
    "returning": 36,
    "cold": 12,
    "tier": 10,
    "strategy": 5,
    "append": 5,
    "stored": 8,
    "forget": 1,
    "feedback": 8,
    "filtered": 3,
    "hurried": 3,
    "bucket": 2,
    "newcomer": 1,
    "long": 1,
    "batch": 1,
    "explained": 1,
    "wrong": 2,
    "read": 1,
}
PAGES = (
    "/",
    "/status",
    "/metrics",
    "/catalogue",
    "/catalogue/items?q=hair",
    "/catalogue/samples",
    "/catalogue/prefixes?sid=1",
    "/experiments",
    "/health/ready",
    "/v2/models/current",
    "/openapi.json",
    "/web/page.css",
)
REPORT = "/experiments/width/report"
HURRY_MS = (60, 125, 250, 500)
EVENTS = ("impression", "click", "cart", "purchase", "skip")
RARE = 0.004  # of the returning: a user nobody saw before


class Mix:
    """Draws calls. `offered`: the bundle as GET /catalogue shows it; `auto`: the budget of those who name none.

    Attributes:
        away: items that are off sale, so that no call made from now on may be shown one.
        people: who has a stored history.
    """

    def __init__(self, crowd: Crowd, offered: dict[str, Any], auto: str = "auto", prefix: str = "p", seed: int = 0):
        self.away: frozenset[str] = frozenset()
        self._rng, self._auto, self._prefix = np.random.default_rng(seed), auto, prefix
        self.people = People(crowd.stranger, self._rng, f"{prefix}-stored-")
        self._crowd, self._strangers = crowd, 0
        self._tokens = deque[tuple[str, str]](maxlen=512)
        self._strategies: list[str] = offered["strategies"]
        self._tiers = [tier["name"] for tier in offered["tiers"]]
        widths = np.array([tier["k_keep"] for tier in offered["tiers"]], float) ** -0.5
        self._dear = widths / widths.sum()
        self._drawers: list[Callable[[], Call]] = [getattr(self, name) for name in SHARES]
        self._mass = np.cumsum(list(SHARES.values())) / sum(SHARES.values())

    def draw(self) -> Call:
        """The next call."""
        return self._drawers[int(np.searchsorted(self._mass, self._rng.random(), "right"))]()

    def _ask(
        self, kind: str, wanted: Wanted, headers: dict[str, str] | None = None, within_s: float = 2.0, **body: Any
    ) -> Call:
        body = {"history": list(wanted.history), "k": wanted.k, "budget": self._auto} | body
        judge = partial(self._listed, wanted, self.away)
        return Call(kind, posted("/recommend", body, headers), judge=judge, deadline_s=within_s)

    def _listed(self, wanted: Wanted, away: frozenset[str], reply: Reply) -> str | None:
        answer = reply.json()
        if why := fault(answer, wanted):
            return why
        shown = [item["item_id"] for item in answer["items"]]
        if away.intersection(shown):
            return "an item that is off sale was shown"
        self._tokens.append((answer["feedback_token"], shown[0]))
        return None

    def _history(self) -> tuple[str, ...]:
        return self._crowd.history(self._crowd.returning())

    def _pick(self, names: Sequence[Any]) -> Any:
        return names[int(self._rng.integers(len(names)))]

    def returning(self) -> Call:
        who = f"u{self._crowd.returning()}"
        if self._rng.random() < RARE:
            self._strangers += 1
            who = f"{self._prefix}-{self._strangers}"
        return self._ask("returning", Wanted(self._history()), user_id=who)

    def cold(self) -> Call:
        return self._ask("cold", Wanted(self._crowd.stranger()))

    def tier(self) -> Call:
        tier = str(self._rng.choice(self._tiers, p=self._dear))
        return self._ask(f"tier {tier}", Wanted(self._history(), tier=tier), budget=tier)

    def strategy(self) -> Call:
        name = self._pick(self._strategies)
        return self._ask(f"strategy {name}", Wanted(self._history()), strategy=name, budget="k10")

    def append(self) -> Call:
        return self.people.append()

    def stored(self) -> Call:
        return self.people.stored()

    def forget(self) -> Call:
        return self.people.forget()

    def feedback(self) -> Call:
        if not self._tokens:
            return self.cold()
        token, item = self._pick(self._tokens)
        body = {"feedback_token": token, "item_id": item, "event": self._pick(EVENTS)}
        return Call("feedback", posted("/feedback", body), (202,))

    def filtered(self) -> Call:
        """A hundred items to choose from."""
        allow = [item for _ in range(12) for item in self._crowd.stranger()][:100]
        history = self._history()
        call = self._ask("filtered", Wanted(history, k=5), k=5, filter={"allow": allow})
        return Call("filtered", call.payload, judge=partial(self._within, Wanted(history, k=5), frozenset(allow)))

    def _within(self, wanted: Wanted, allow: frozenset[str], reply: Reply) -> str | None:
        if not allow.issuperset(item["item_id"] for item in reply.json()["items"]):
            return "an item outside the filter was shown"
        return self._listed(wanted, frozenset(), reply)

    def hurried(self) -> Call:
        limit = self._pick(HURRY_MS)
        headers = {"X-Request-Timeout-Ms": str(limit)}
        return self._ask("hurried", Wanted(self._history()), headers, limit / 1000, budget="auto")

    def bucket(self) -> Call:
        return self._ask("bucket", Wanted(self._history(), bucket="wide"), {"X-AB-Bucket": "width=wide"}, user_id="u1")

    def newcomer(self) -> Call:
        return self._ask("newcomer", Wanted())

    def long(self) -> Call:
        return self._ask("long", Wanted(self._history(), k=100), exclude=list(self._crowd.stranger()))

    def batch(self) -> Call:
        body = [{"history": self._history(), "k": 5, "user_id": f"u{n}", "budget": "k10"} for n in range(8)]
        return Call("batch", posted("/recommend/batch", body), judge=_entries)

    def explained(self) -> Call:
        return self._ask("explained", Wanted(self._history(), tier="k10"), budget="k10", explain=True)

    def wrong(self) -> Call:
        return mistaken(self._rng)

    def read(self) -> Call:
        path = REPORT if self._rng.random() < 0.1 else self._pick(PAGES)
        return Call(f"GET {path}", request("GET", path))


def _entries(reply: Reply) -> str | None:
    """Each entry stands alone: a list, or a refusal."""
    for entry in reply.json():
        if entry.get("problem") is None:
            if not entry["response"]["items"]:
                return "an entry without items"
        elif entry["problem"]["status"] != 503:
            return f"an entry's problem: {entry['problem']['title']}"
    return None
