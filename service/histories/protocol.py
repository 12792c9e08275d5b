"""What a store of histories promises.

The history of a user is the set of its events: ordered by timestamp, equal timestamps by item id (code points), and
the same (user, item, timestamp) kept once. So it depends neither on the order of arrival nor on replays, and a caller
who does not know whether an append arrived may send it again. Of a long history the newest items stay; a history
that gained no event for the retention time is forgotten whole.

Clocks of callers differ, so a timestamp in the future is an ordinary one: it sorts last until time has caught up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.errors import InvalidRequestError


@dataclass(frozen=True)
class Event:
    """One interaction; `timestamp` in seconds since the epoch.

    Raises:
        InvalidRequestError: the timestamp is not finite, so it has no place in an order.
    """

    user_id: str
    item_id: str
    timestamp: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.timestamp):
            raise InvalidRequestError("timestamp must be a finite number of seconds since the epoch.")


@dataclass(frozen=True)
class Appended:
    """Events that the store did not hold yet, and events it did. One too old to be kept counts as accepted."""

    accepted: int
    duplicates: int


class HistoryStore(Protocol):
    """Histories of many users. Every call is atomic for each user; used from one event loop."""

    async def append(self, events: Sequence[Event]) -> Appended:
        """Add the events, in any order, of any users.

        Raises:
            StoreUnavailableError: not all events are certain to be kept; sending all of them again is safe.
        """

    async def read(self, user_id: str) -> tuple[str, ...]:
        """Item ids oldest first, the newest ones up to the limit; () for an unknown user.

        Raises:
            StoreUnavailableError: nobody knows the history at the moment.
        """

    async def forget(self, user_id: str) -> bool:
        """Remove all that is kept of the user; True if there was something. A later event starts a new history.

        Raises:
            StoreUnavailableError: the history may still be there.
        """
