"""The event log as a Redis stream that all replicas share; its oldest events leave when it grows too long."""

from collections.abc import Callable, Collection, Mapping, Sequence

from service.cache.remote import Remote
from service.experiments.events import LIMIT, READ, START, Cursor, Event, is_of, unpack
from service.experiments.outbox import RETRY_S, Outbox

STREAM = "promise:events"
MAXLEN = 200_000  # some 80 MB in Redis
BATCH = 100  # so that one round trip stays well below the timeout
FIELD = "event"


class RedisLog:
    """Adds events to `stream`, about `maxlen` of which Redis keeps. At least once: a lost reply sends a batch again."""

    def __init__(
        self,
        remote: Remote,
        stream: str = STREAM,
        maxlen: int = MAXLEN,
        limit: int = LIMIT,
        on_error: Callable[[str], None] = lambda _: None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._remote = remote
        self._stream = stream
        self._maxlen = maxlen
        self._outbox = Outbox(self._send, limit, BATCH, on_error, retry_s)

    @property
    def dropped(self) -> int:
        """Events lost so far."""
        return self._outbox.dropped

    def write(self, event: Mapping[str, object]) -> None:
        self._outbox.put(event)

    def start(self) -> None:
        self._outbox.start()

    async def close(self) -> None:
        await self._outbox.close()

    async def read(self, cursor: Cursor = START) -> tuple[list[Event], Cursor]:
        """The cursor is a stream id.

        Raises:
            RemoteError: Redis does not answer.
        """
        events: list[Event] = []
        while not events:
            after = f"({cursor}" if cursor else "-"
            entries = await self._remote.execute("XRANGE", self._stream, after, "+", "COUNT", READ)
            if not entries:
                break
            cursor = entries[-1][0].decode()
            events = [event for _, fields in entries if (event := unpack(fields[1])) is not None]
        return events, cursor

    async def erase(self, units: Collection[str]) -> None:
        """Redis frees the bytes of a deleted event once those around it have left the stream too.

        Raises:
            RemoteError: Redis does not answer.
        """
        await self._outbox.drop(lambda line: is_of(line, units))
        after = "-"
        while entries := await self._remote.execute("XRANGE", self._stream, after, "+", "COUNT", READ):
            if gone := [entry for entry, fields in entries if is_of(fields[1], units)]:
                await self._remote.execute("XDEL", self._stream, *gone)
            after = f"({entries[-1][0].decode()}"

    async def _send(self, lines: Sequence[bytes]) -> int:
        add = ("XADD", self._stream, "MAXLEN", "~", self._maxlen, "*", FIELD)
        await self._remote.pipeline([(*add, line) for line in lines])
        return len(lines)
