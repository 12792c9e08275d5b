"""The load beside an outage: lists for given histories and for stored ones, and events; and what came of them."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import uvloop

from loadtest import open_loop, workload
from loadtest.bench import answers, closed_loop
from loadtest.bench.outages.policy import EVENTS, READS, Policy, Replicas
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.client import ClientError, Reply, request
from loadtest.open_loop import Beside
from loadtest.seconds import GOOD, Shot

TURNS = ("history", "stored", "history", "event")  # what every fourth request is
DRAIN_S = 25.0  # how long the last events may go on trying


class Answering(Protocol):
    """A service, or what stands before some."""

    @property
    def url(self) -> str: ...

    @property
    def alive(self) -> bool: ...

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply: ...


@dataclass(frozen=True)
class Load:
    """`rate` requests a second, evenly spaced; a quarter are events, each for one of `writers` users, whose histories
    are read back afterwards; a quarter ask for the list of one of `readers`, whose histories were stored before.
    """

    rate: float = 60.0
    users: int = 80
    readers: int = 20
    writers: int = 20
    tier: str = "k10"


@dataclass
class Traffic:
    """Every request of a run by its number, and what its answer must be."""

    load: Load
    bodies: list[bytes]
    readers: list[tuple[str, ...]]
    items: list[str]
    began: float = field(default_factory=time.time)
    known: list[answers.Answer] = field(default_factory=list)
    stored: list[answers.Answer] = field(default_factory=list)

    def kind(self, number: int) -> str:
        return TURNS[number % len(TURNS)]

    def request(self, number: int) -> bytes:
        kind = self.kind(number)
        if kind == "event":
            return request("POST", "/events", _events([self.event(number)]))
        if kind == "stored":
            return self.ask(f"reader-{number % len(self.readers)}")
        return self.bodies[number % len(self.bodies)]

    def event(self, number: int) -> dict[str, Any]:
        """A different item each time for one user, in order."""
        item = self.items[number % len(self.items)]
        return {"user_id": f"writer-{number % self.load.writers}", "item_id": item, "timestamp": self.began + number}

    def ask(self, user: str, **fields: Any) -> bytes:
        body = {"user_id": user, "k": 10, "budget": self.load.tier, **fields}
        return request("POST", "/recommend", json.dumps(body).encode())

    def wanted(self, number: int) -> answers.Answer:
        if self.kind(number) == "stored":
            return self.stored[number % len(self.readers)]
        return self.known[number % len(self.bodies)]

    def learn(self, service: Service) -> None:
        """What a healthy service answers; raises BenchError where it does not."""
        bodies = [workload.recommend(history, k=10, budget=self.load.tier) for history in self.readers]
        self.known = [shot.answer for shot in closed_loop.answered(closed_loop.run(service.url, self.bodies))]
        self.stored = [shot.answer for shot in closed_loop.answered(closed_loop.run(service.url, bodies))]

    def store(self, service: Answering) -> None:
        """The readers' histories; raises BenchError where they are refused."""
        for number, history in enumerate(self.readers):
            user = f"reader-{number}"
            events = [{"user_id": user, "item_id": item, "timestamp": 1.0 + at} for at, item in enumerate(history)]
            if not until_well(lambda sent=events: stored(service, sent), 10):  # type: ignore[misc]  # the default binds the loop's events
                raise BenchError("before anything was broken histories could not be stored")

    def missing(self, service: Answering, shots: Sequence[Shot]) -> list[int]:
        """Numbers of accepted events that are in no history: asked for just that item, a user who has it gets nothing.

        Raises:
            BenchError: a user is not answered from the stored history, or gets nothing for an item nobody sent either.
        """
        accepted = [shot.number for shot in shots if self.kind(shot.number) == "event" and shot.status == GOOD]
        if not accepted:
            return []
        events = [self.event(number) for number in accepted]
        events.append({**events[0], "item_id": self.items[-1]})  # nobody sent this one
        asks = [self.ask(event["user_id"], k=1, filter={"allow": [event["item_id"]]}) for event in events]
        *found, unsent = [shot.answer for shot in closed_loop.answered(closed_loop.run(service.url, asks, 2))]
        if not unsent["items"] or any(answer["degraded"] for answer in found):
            raise BenchError("the stored histories cannot be read back")
        return [number for number, answer in zip(accepted, found, strict=True) if answer["items"]]


def traffic(bundle: Path, load: Load, seed: int = 0) -> Traffic:
    """Raises WorkloadError: the bundle has no catalogue."""
    items = workload.read_items(bundle)
    last = str(items.ids[-1])  # left for what nobody may send
    drawn = workload.distinct(items, 2 * (load.users + load.readers), seed)
    histories = [history for history in drawn if last not in history][: load.users + load.readers]
    bodies = [workload.recommend(history, k=10, budget=load.tier) for history in histories[: load.users]]
    return Traffic(load, bodies, histories[load.users :], items.ids.tolist())


def run(
    urls: Sequence[str],
    made: Traffic,
    seconds: float,
    beside: Sequence[Beside],
    reads: Policy = READS,
    events: Policy = EVENTS,
) -> list[Shot]:
    """The open loop through all replicas, and what else happens beside it."""
    times = open_loop.arrivals([open_loop.Step(made.load.rate, seconds)], poisson=False)

    async def driven() -> list[Shot]:
        client = Replicas(urls, reads, events)
        try:
            await client.open(4)
            return await open_loop.drive(client, made.request, times, beside=beside)
        finally:
            client.close()

    with open_loop.quiet():
        return uvloop.run(driven())


def stored(service: Answering, events: Sequence[Mapping[str, Any]]) -> bool:
    return service.call("POST", "/events", {"events": list(events)}).status == GOOD


def until_well(look: Callable[[], bool], seconds: float) -> bool:
    """Whether `look` becomes true in time; an unanswered call is a no."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with suppress(ClientError, BenchError):
            if look():
                return True
        time.sleep(0.1)
    return False


def _events(events: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps({"events": list(events)}).encode()
