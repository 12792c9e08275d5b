"""Histories in Redis: one sorted set a user, so that each step is one command on one key, in a cluster too.

Key `promise:u:` + the user's digest; score = timestamp; member = the timestamp as 8 bytes, then the item id. Redis
orders equal scores by the bytes of their members: here by item id, since the first 8 bytes are then equal as well.
Redis must not evict these keys under memory pressure before they expire, or histories vanish unnoticed.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import islice

from service.cache.remote import Argument, Remote
from service.histories.protocol import Appended, Event
from service.histories.users import DAY_S, Interaction, at_rest, by_user

PREFIX = "promise:u:"
USERS_A_ROUND = 100  # users appended in one round trip: bounds the time that Redis needs to answer it
APPEND = """
local added = 0
for at = 3, #ARGV, 2 do
  added = added + redis.call('ZADD', KEYS[1], 'NX', ARGV[at], ARGV[at + 1])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, ARGV[1])
if added > 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return added
"""
_TIMESTAMP = struct.Struct(">d")


class RedisHistories:
    """A `HistoryStore` shared by all replicas of the service. `secret` keys the digests of user ids.

    `confirm`: replicas of Redis that must hold events, or a deletion, before either is called done.
    """

    def __init__(self, remote: Remote, items: int, days: int, secret: bytes = b"", confirm: int = 0) -> None:
        if items < 1 or days < 1:
            raise ValueError(f"items and days must be at least 1, not {items} and {days}.")
        self._remote, self._items, self._secret, self._confirm = remote, items, secret, confirm
        self._bounds = (-items - 1, days * DAY_S)  # the rank of the newest event that leaves, seconds to live

    async def append(self, events: Sequence[Event]) -> Appended:
        commands = (self._appending(user, new) for user, new in by_user(events, self._secret).items())
        accepted = 0
        while some := list(islice(commands, USERS_A_ROUND)):
            accepted += sum(await self._remote.pipeline(some, self._confirm))
        return Appended(accepted, len(events) - accepted)

    async def read(self, user_id: str) -> tuple[str, ...]:
        members = await self._remote.execute("ZRANGE", self._key(user_id), -self._items, -1)
        return tuple(member[_TIMESTAMP.size :].decode("utf-8", "replace") for member in members)

    async def forget(self, user_id: str) -> bool:
        (removed,) = await self._remote.pipeline([("DEL", self._key(user_id))], self._confirm)
        return bool(removed)

    def _key(self, user_id: str) -> str:
        return PREFIX + at_rest(user_id, self._secret)

    def _appending(self, user: str, new: Iterable[Interaction]) -> tuple[Argument, ...]:
        pairs = (part for timestamp, item in new for part in (timestamp, _member(timestamp, item)))
        return ("EVAL", APPEND, 1, PREFIX + user, *self._bounds, *pairs)


def _member(timestamp: float, item: str) -> bytes:
    return _TIMESTAMP.pack(timestamp) + item.encode("utf-8", "surrogatepass")
