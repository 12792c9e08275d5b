"""Before a soak: as many users and votes as the service remembers at most, so that what is bounded is full."""

from collections.abc import Iterator, Sequence

from loadtest.bench.soak.calls import Call, posted
from loadtest.client import Reply, request
from loadtest.workload import History

ENTRIES, BATCHES = 32, 2  # of one batch, and batches at once: no more than the service has places
EVENTS = ("impression", "click", "cart", "purchase", "skip")
K = 100
SCRAPES = 200


class Votes:
    """Answers whose items can be voted on; filled by `visits`."""

    def __init__(self) -> None:
        self.tokens: list[tuple[str, list[str]]] = []

    def visits(self, histories: Sequence[History], count: int) -> Iterator[Call]:
        """One call each, long lists."""
        for number in range(count):
            history = histories[number % len(histories)]
            body = {"history": history, "k": K, "budget": "floor", "user_id": f"voter-{number}"}
            yield Call("fill", posted("/recommend", body), judge=self._note)

    def feedback(self, count: int) -> Iterator[Call]:
        """All different."""
        for number in range(count):
            token, items = self.tokens[number % len(self.tokens)]
            place = number // len(self.tokens)
            item, event = items[place // len(EVENTS) % len(items)], EVENTS[place % len(EVENTS)]
            body = {"feedback_token": token, "item_id": item, "event": event}
            yield Call("fill", posted("/feedback", body), (202,))

    def _note(self, reply: Reply) -> None:
        answer = reply.json()
        self.tokens.append((answer["feedback_token"], [item["item_id"] for item in answer["items"]]))


def crowd() -> Iterator[Call]:
    """Many scrapes at once, so that every worker thread there may be is there."""
    for _ in range(SCRAPES):
        yield Call("fill", request("GET", "/metrics"))


def visitors(histories: Sequence[History], count: int) -> Iterator[Call]:
    """Different users, a batch at a time; cheap, since they name the tier and are asked for one item."""
    for begin in range(0, count, ENTRIES):
        body = [
            {"history": histories[n % len(histories)], "k": 1, "budget": "floor", "user_id": f"visitor-{n}"}
            for n in range(begin, min(begin + ENTRIES, count))
        ]
        yield Call("fill", posted("/recommend/batch", body), judge=_all_answered)


def _all_answered(reply: Reply) -> str | None:
    refused = [entry["problem"]["title"] for entry in reply.json() if entry.get("problem")]
    return refused[0] if refused else None
