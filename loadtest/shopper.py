"""One connection of the load test: sends a request, checks the answer, and files it under what became of it."""

from collections.abc import Sequence
from typing import Any

from locust import FastHttpUser, between
from locust.exception import RescheduleTask

from loadtest.checks import Wanted, fault, outcome
from loadtest.crowd import Crowd
from loadtest.rows import named


class Shopper(FastHttpUser):
    """Asks as one person after another; what it stored under its own name it forgets when it leaves.

    `crowd` is shared by all shoppers of a process. Tasks come with loadtest.scenarios.
    """

    abstract = True
    wait_time = between(0.01, 0.1)
    crowd: Crowd

    def on_start(self) -> None:
        self.name, self.stored = f"shopper-{self.crowd.rng.integers(1 << 48):x}", list[str]()
        self.header, self.buckets = self._experiments()

    def on_stop(self) -> None:
        if self.stored:
            self._done("DELETE", f"/users/{self.name}", name="/users/… DELETE")

    def recommend(
        self,
        scenario: str,
        wanted: Wanted,
        headers: dict[str, str] | None = None,
        within_ms: float = float("inf"),
        **body: Any,
    ) -> dict[str, Any]:
        """The answer; empty where there is none, or a wrong one. `within_ms`: later than that is late."""
        body |= {"k": wanted.k} | ({} if wanted.stored else {"history": list(wanted.history)})
        with self.rest("POST", "/recommend", headers=headers, name=f"/recommend {scenario}", json=body) as answered:
            response: Any = answered
            late = response.request_meta["response_time"] > within_ms
            kind = outcome(response.status_code, response.headers or {}, response.js, late)
            wrong = _status(response) if kind == "failed" else None if kind == "shed" else fault(response.js, wanted)
            response.request_meta["name"] = named(f"/recommend {scenario}", "failed" if wrong else kind)
            response.failure(wrong) if wrong else response.success()
            return {} if wrong or kind == "shed" else dict(response.js)

    def batch(self, histories: Sequence[Sequence[str]], k: int) -> None:
        """Each entry stands alone, and each is checked."""
        body = [{"history": history, "k": k} for history in histories]
        with self.rest("POST", "/recommend/batch", name="/recommend/batch", json=body) as answered:
            response: Any = answered
            wrong = _status(response) if response.status_code != 200 else _wrong_entry(response.js, histories, k)
            response.failure(wrong) if wrong else response.success()

    def keep(self, items: Sequence[str]) -> None:
        """Into this shopper's stored history."""
        events = [{"user_id": self.name, "item_id": item} for item in items]
        if self.posted("/events", {"events": events}):
            self.stored += items

    def feedback(self, answer: dict[str, Any], item: str, event: str) -> None:
        self.posted("/feedback", {"feedback_token": answer["feedback_token"], "item_id": item, "event": event})

    def posted(self, path: str, body: dict[str, Any]) -> bool:
        """Whether it was taken."""
        return self._done("POST", path, name=path, json=body)

    def _done(self, method: str, path: str, name: str, **request: Any) -> bool:
        """Whether an effect was promised; a store that cannot do so in time refuses, as an overloaded service does."""
        with self.rest(method, path, name=name, **request) as answered:
            response: Any = answered
            done = response.status_code in (200, 202, 204)
            shed = outcome(response.status_code, response.headers or {}, None) == "shed"
            response.request_meta["name"] = named(name, "shed" if shed else "")
            response.success() if done or shed else response.failure(_status(response))
            return done

    def _experiments(self) -> tuple[str, list[tuple[str, str]]]:
        """The header of the buckets, and every bucket in force with the experiment that labels answers."""
        with self.rest("GET", "/experiments", name="/experiments") as answered:
            response: Any = answered
            if response.status_code != 200 or not isinstance(response.js, dict):
                response.failure(_status(response))
                return "", []
            response.success()
            first = response.js["experiments"][:1]
            return response.js["header"], [(one["name"], bucket["name"]) for one in first for bucket in one["buckets"]]


def skip() -> None:
    """This scenario has nothing to do here; the next one comes at once."""
    raise RescheduleTask


def _status(response: Any) -> str:
    if not response.status_code:
        return "no answer"
    said = response.js.get("title", "") if isinstance(response.js, dict) else ""
    return f"HTTP {response.status_code} {said}".strip()


def _wrong_entry(entries: Any, histories: Sequence[Sequence[str]], k: int) -> str | None:
    if not isinstance(entries, list) or len(entries) != len(histories):
        return "not one result an entry"
    for entry, history in zip(entries, histories, strict=True):
        if entry.get("problem") is None and (wrong := fault(entry.get("response"), Wanted(history, k))):
            return wrong
        if entry.get("problem") is not None and entry["problem"]["status"] != 503:
            return f"an entry's problem: {entry['problem']['title']}"
    return None
