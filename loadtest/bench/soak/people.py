"""People with stored histories, ever more of them, and what the service must know of each: nothing accepted is lost.

Who has a call under way is in no list. What a refused append may or may not have stored is sent again, as the service
says one may; what a refused deletion may have left is deleted again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from loadtest.bench.soak.calls import Call, posted
from loadtest.checks import Wanted, fault
from loadtest.client import Reply, request
from loadtest.workload import History

LONGEST = 24  # events of a person, fewer than any shipped encoder reads


@dataclass
class Person:
    """`kept`: events that the service took; `sent`: events of which nobody knows whether it did."""

    name: str
    kept: dict[str, float] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)


class People:
    """Makes calls about stored histories. `stranger` gives a history nobody had; `grows`: share of appends by new ones.

    Attributes:
        made, gone: how many there were, and how many of them were deleted.
    """

    def __init__(self, stranger: Callable[[], History], rng: np.random.Generator, prefix: str, grows: float = 0.3):
        self._stranger, self._rng, self._prefix, self._grows = stranger, rng, prefix, grows
        self._idle, self._unsure, self._doomed = list[Person](), list[Person](), list[Person]()
        self.made = self.gone = 0

    def __len__(self) -> int:
        """How many are known for sure."""
        return len(self._idle)

    def append(self) -> Call:
        """Events of somebody: first of those whose last append was refused, else of a new or an old one."""
        if self._unsure:
            return self._appending(self._take(self._unsure))
        if not self._idle or self._rng.random() < self._grows:
            self.made += 1
            return self._appending(Person(f"{self._prefix}{self.made}"), 3 + int(self._rng.integers(6)))
        return self._appending(self._take(self._idle), 1 + int(self._rng.integers(3)))

    def stored(self) -> Call:
        """By name alone; the service must know every event it took, and no other."""
        if not self._idle:
            return self.append()
        return self._asking(self._take(self._idle))

    def forget(self) -> Call:
        """Delete somebody; first those whose deletion was refused."""
        if not self._doomed and not self._idle:
            return self.append()
        person = self._take(self._doomed or self._idle)
        body = request("DELETE", f"/users/{person.name}")
        return Call("forget", body, (204,), self._forgotten, partial(self._doomed.append, person))

    def everyone(self) -> Iterator[Call]:
        """Ask for everybody once."""
        for _ in range(len(self._idle)):
            yield self._asking(self._idle.pop(0))

    def _take(self, people: list[Person]) -> Person:
        """A random one of the list leaves it."""
        at = int(self._rng.integers(len(people)))
        people[at], people[-1] = people[-1], people[at]
        return people.pop()

    def _appending(self, person: Person, events: int = 0) -> Call:
        now = time.time()
        room = max(0, LONGEST - len(person.kept) - len(person.sent))
        new = [item for item in self._stranger() if item not in person.kept][: min(events, room)]
        person.sent |= {item: now for item in new if item not in person.sent}
        person.sent = person.sent or dict(person.kept)  # nothing new to say: the same again
        events_of = [{"user_id": person.name, "item_id": item, "timestamp": at} for item, at in person.sent.items()]
        judge, missed = partial(self._appended, person), partial(self._unsure.append, person)
        return Call("append", posted("/events", {"events": events_of}), judge=judge, missed=missed)

    def _appended(self, person: Person, reply: Reply) -> str | None:
        said, events = reply.json(), len(person.sent)
        person.kept |= person.sent
        person.sent = {}
        self._idle.append(person)
        return None if said["accepted"] + said["duplicates"] == events else f"{said} of {events} events"

    def _asking(self, person: Person) -> Call:
        payload = posted("/recommend", {"user_id": person.name, "k": 10})
        return Call("stored", payload, judge=partial(self._known, person), missed=partial(self._idle.append, person))

    def _known(self, person: Person, reply: Reply) -> str | None:
        self._idle.append(person)
        answer = reply.json()
        return fault(answer, Wanted(tuple(person.kept), stored=True)) or _of(answer, len(person.kept))

    def _forgotten(self, _: Reply) -> None:
        self.gone += 1


def _of(answer: dict[str, Any], events: int) -> str | None:
    """Whether the answer knew that many events, or says that the store could not be read."""
    history = answer["history"]
    if not history["stored"] and answer["degraded"]:
        return None
    known = history["used"] + history["unknown"] + history["truncated"]
    return None if known == events else f"{known} of {events} events are known"
