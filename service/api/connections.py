"""Which connections are open and what each is doing: bounds on their number and memory, an end for what takes for ever.

Three orders, oldest first, so that a look at all of them costs what has to be ended and not what is open.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from service.errors import PromiseError, TooSlowError

IDLE_S = 75.0  # longer than load balancers keep theirs
YOUNG_S = 1.0  # a request that takes longer to arrive gives way to a new connection


class Connection(Protocol):
    """What can be done to one."""

    def give_up(self) -> None:
        """End it without a word."""

    def end(self, error: PromiseError) -> None:
        """Answer the request that is arriving with this, then end."""


class Order:
    """Connections by when they came here, oldest first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: Connection) -> None:
        """To the end, even if it is here already."""
        self._since.pop(connection, None)
        self._since[connection] = self._clock()

    def discard(self, connection: Connection) -> None:
        self._since.pop(connection, None)

    def older(self, seconds: float) -> Iterator[Connection]:
        """Take out those that have been here for as long."""
        limit = self._clock() - seconds
        while self._since:
            oldest = next(iter(self._since))
            if self._since[oldest] > limit:
                return
            del self._since[oldest]
            yield oldest


class Connections:
    """The book of one process; from the event loop only.

    `idle` ones wait for a request, `reading` ones have begun one that is not whole, `stalled` ones do not take their
    answer; one that is in none of these is being answered. `limit`: how many may be open. `patience_s`: how long
    reading may take, and how long an answer may wait to be taken. `held` of at most `memory` bytes: what has come of
    requests that are not whole. `crowded`: what those are told who have to leave; counts them.
    """

    def __init__(
        self,
        limit: int,
        patience_s: float,
        memory: int,
        crowded: Callable[[], PromiseError],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self.patience_s, self.memory = limit, patience_s, memory
        self.idle, self.reading, self.stalled = Order(clock), Order(clock), Order(clock)
        self.held = 0
        self._crowded = crowded
        self._open = set[Connection]()

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Connection) -> None:
        """Note a new one. At the limit the longest idle one gives way, else one that is slow to send its request, else
        the new one.
        """
        if len(self._open) >= self.limit and not self._made_room():
            connection.end(self._crowded())
            return
        self._open.add(connection)
        self.idle.add(connection)

    def gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        for order in (self.idle, self.reading, self.stalled):
            order.discard(connection)

    def hold(self, count: int) -> None:
        """So many bytes more of requests that are not whole; negative: fewer. The slowest request makes room."""
        self.held += count
        if count > 0 and self.held > self.memory:
            for slowest in itertools.islice(self.reading.older(0.0), 1):
                slowest.end(self._crowded())

    def sweep(self) -> None:
        """End what takes for ever; to be called about once a second."""
        for connection in self.idle.older(IDLE_S):
            connection.give_up()
        for connection in self.reading.older(self.patience_s):
            connection.end(TooSlowError(f"A request must arrive whole within {self.patience_s:g} s."))
        for connection in self.stalled.older(self.patience_s):
            connection.give_up()

    def _made_room(self) -> bool:
        for oldest in itertools.islice(self.idle.older(0.0), 1):
            self.gone(oldest)
            oldest.give_up()
            return True
        for slowest in itertools.islice(self.reading.older(YOUNG_S), 1):
            self.gone(slowest)
            slowest.end(self._crowded())
            return True
        return False
