"""Mistakes that callers make, each with the status that a caller must be told."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.bench.soak.calls import Call, posted, problem
from loadtest.client import Reply, request


@dataclass(frozen=True)
class Mistake:
    """`payload` is a whole request; it must get a problem document of this status."""

    name: str
    status: int
    payload: bytes


def _asked(**body: Any) -> bytes:
    return posted("/recommend", {"history": []} | body)


DEEP = b"[" * 2000 + b"]" * 2000
MISTAKES = (
    Mistake("no JSON", 400, request("POST", "/recommend", b'{"history": [')),
    Mistake("nested deeply", 400, request("POST", "/recommend", DEEP)),
    Mistake("not an object", 422, request("POST", "/recommend", b"7")),
    Mistake("a field of another type", 422, _asked(k="ten")),
    Mistake("k = 0", 422, _asked(k=0)),
    Mistake("an unknown field", 422, _asked(colour="red")),
    Mistake("an unknown tier", 400, _asked(budget="k9")),
    Mistake("an unknown strategy", 400, _asked(strategy="guess")),
    Mistake("an unknown category", 400, _asked(filter={"category": "Nothing"})),
    Mistake("an unknown bucket", 400, posted("/recommend", {"history": []}, {"X-AB-Bucket": "width=none"})),
    Mistake("no such route", 404, request("GET", "/recommended")),
    Mistake("no such file", 404, request("GET", "/web/../settings.py")),
    Mistake("no such experiment", 404, request("GET", "/experiments/none/report")),
    Mistake("no such method", 405, request("DELETE", "/recommend")),
    Mistake("too long", 413, posted("/recommend", {"history": ["x" * 1000] * 1100})),
    Mistake("a forged token", 400, posted("/feedback", {"feedback_token": "a.b", "item_id": "x", "event": "click"})),
    Mistake("no admin token", 401, request("GET", "/admin/bundles")),
    Mistake("too many entries", 422, posted("/recommend/batch", [{"history": []}] * 100)),
)


def mistaken(rng: np.random.Generator) -> Call:
    """One of them."""
    mistake = MISTAKES[int(rng.integers(len(MISTAKES)))]
    return Call(f"wrong: {mistake.name}", mistake.payload, (mistake.status,), told)


def told(reply: Reply) -> str | None:
    """A sentence, and nothing of the inside."""
    if not problem(reply):
        return "no problem document"
    return "a stack trace in the body" if b"Traceback" in json.dumps(reply.json()).encode() else None
