"""Calls of a soak: each knows which answers it may get and what is wrong with one; what became of all of them."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loadtest.client import Client, ClientError, Reply, request
from loadtest.open_loop import clock
from loadtest.seconds import SHED

ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"
I64 = NDArray[np.int64]
PROTOCOL = "inference-protocol"
EDGES_MS = np.geomspace(0.5, 60_000, 400)


def nothing() -> None:
    """Nobody has to know."""


def content(_: Reply) -> str | None:
    """Any body will do."""
    return None


def posted(path: str, body: object, headers: dict[str, str] | None = None) -> bytes:
    """POST as bytes, the body as JSON."""
    return request("POST", path, json.dumps(body).encode(), headers)


@dataclass(frozen=True, slots=True)
class Call:
    """One request of some kind. `good`: statuses that are no failure; a 503 that says when to come back is none either.

    `judge` says what is wrong with a good reply; `missed` is called instead where there was none. `deadline_s` counts
    from the intended start.
    """

    kind: str
    payload: bytes
    good: tuple[int, ...] = (200,)
    judge: Callable[[Reply], str | None] = content
    missed: Callable[[], None] = nothing
    deadline_s: float = 2.0


@dataclass
class Tally:
    """What became of the calls, by kind; why some failed; latencies in ms of what was answered, over EDGES_MS."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    latencies: I64 = field(default_factory=lambda: np.zeros(len(EDGES_MS), np.int64))
    skipped: int = 0

    def book(self, call: Call, reply: Reply | str, latency_s: float) -> str:
        """Count one call; what became of it. `reply`: a sentence where none came."""
        outcome, why = verdict(call, reply)
        if isinstance(reply, str) or reply.status not in call.good:
            call.missed()
        if outcome == FAILED:
            self.faults[call.kind, why] += 1
        elif outcome == REFUSED:
            self.refusals[why] += 1
        else:
            self.late[call.kind] += latency_s > call.deadline_s
            self.latencies[min(int(np.searchsorted(EDGES_MS, 1000 * latency_s)), len(EDGES_MS) - 1)] += 1
        self.outcomes[call.kind, outcome] += 1
        return outcome

    def blame(self, earlier: "Tally") -> None:
        """What failed earlier counts as failed here too."""
        self.faults.update(earlier.faults)
        for (kind, _), many in earlier.faults.items():
            self.outcomes[kind, FAILED] += many

    def fault(self, kind: str, why: str) -> None:
        """Something beside the calls went wrong."""
        self.faults[kind, why] += 1
        self.outcomes[kind, FAILED] += 1

    def count(self, outcome: str) -> int:
        return sum(many for (_, became), many in self.outcomes.items() if became == outcome)

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    def percentile_ms(self, share: float) -> float | None:
        return percentile_ms(self.latencies, share)


def percentile_ms(latencies: I64, share: float) -> float | None:
    """The smallest of EDGES_MS, 3 % apart, that this share of the answers do not exceed; None of none."""
    if not latencies.sum():
        return None
    reached = np.cumsum(latencies) >= share * latencies.sum()
    return round(float(EDGES_MS[int(np.argmax(reached))]), 2)


def verdict(call: Call, reply: Reply | str) -> tuple[str, str]:
    """What became of a call, and why if it was not answered."""
    if isinstance(reply, str):
        return FAILED, reply
    if reply.status in call.good:
        wrong = call.judge(reply)
        return (FAILED, wrong) if wrong else (ANSWERED, "")
    said = problem(reply)
    if reply.status == SHED and reply.headers.get("retry-after", "").isdigit() and said:
        return REFUSED, said
    return FAILED, f"status {reply.status} {said or 'without a problem document'}"


def problem(reply: Reply) -> str:
    """The slug of a problem document, PROTOCOL for the inference protocol's own form; empty for anything else."""
    kind = reply.headers.get("content-type", "").partition(";")[0]
    try:
        said = json.loads(reply.body)
        if kind == "application/problem+json":
            return str(said["type"]).rpartition("/")[2] if said["status"] == reply.status else ""
        return PROTOCOL if kind == "application/json" and said["error"] else ""
    except (ValueError, KeyError, TypeError):
        return ""


async def send(client: Client, call: Call, tally: Tally, intended: float) -> str:
    """Send one call and book it; `intended` is a time of `clock`."""
    reply: Reply | str
    try:
        reply = await client.send(call.payload)
    except ClientError as error:
        reply = str(error)
    return tally.book(call, reply, clock() - intended)
