"""Histories in this process: gone when it ends, unknown to other replicas, and bounded.

At most `users` users, the least recently used leaves first (counted in `evicted`), each with the newest `items`
events of some 200 bytes: 10,000 users with 1,000 events are 2 GB at worst.
"""

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence

from service.histories.protocol import Appended, Event
from service.histories.users import DAY_S, Interaction, at_rest, by_user


class MemoryHistories:
    """A `HistoryStore` that never fails. `clock` in seconds; `secret` keys the digests of user ids."""

    def __init__(
        self,
        items: int,
        days: float,
        users: int = 10_000,
        secret: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if items < 1 or users < 1:
            raise ValueError(f"items and users must be at least 1, not {items} and {users}.")
        self.evicted = 0
        self._items, self._users, self._life_s = items, users, days * DAY_S
        self._secret, self._clock = secret, clock
        self._histories: OrderedDict[str, list[Interaction]] = OrderedDict()  # least recently used first
        self._ends: OrderedDict[str, float] = OrderedDict()  # user → end of its retention, the next one first

    def __len__(self) -> int:
        """Users with a history."""
        self._expire()
        return len(self._histories)

    async def append(self, events: Sequence[Event]) -> Appended:
        self._expire()
        accepted = 0
        for user, new in by_user(events, self._secret).items():
            history = self._histories.setdefault(user, [])
            self._histories.move_to_end(user)
            if added := sum(_insert(history, interaction) for interaction in new):
                self._ends[user] = self._clock() + self._life_s
                self._ends.move_to_end(user)
            del history[: -self._items]
            accepted += added
        self._evict()
        return Appended(accepted, len(events) - accepted)

    async def read(self, user_id: str) -> tuple[str, ...]:
        self._expire()
        user = at_rest(user_id, self._secret)
        if user not in self._histories:
            return ()
        self._histories.move_to_end(user)
        return tuple(item for _, item in self._histories[user])

    async def forget(self, user_id: str) -> bool:
        self._expire()
        return self._drop(at_rest(user_id, self._secret))

    def _expire(self) -> None:
        now = self._clock()
        while self._ends and self._ends[user := next(iter(self._ends))] <= now:
            self._drop(user)

    def _evict(self) -> None:
        while len(self._histories) > self._users:
            self._drop(next(iter(self._histories)))
            self.evicted += 1

    def _drop(self, user: str) -> bool:
        self._ends.pop(user, None)
        return self._histories.pop(user, None) is not None


def _insert(history: list[Interaction], interaction: Interaction) -> bool:
    place = bisect_left(history, interaction)
    if place < len(history) and history[place] == interaction:
        return False
    history.insert(place, interaction)
    return True
