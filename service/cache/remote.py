"""What the rooms need of a shared store that speaks Redis commands; nothing here knows the client."""

from collections.abc import Sequence
from typing import Any, Protocol

from service.cache.breaker import BreakerState
from service.errors import StoreUnavailableError

Argument = str | bytes | int | float


class RemoteError(StoreUnavailableError):
    """A command without a result: refused, too late, not sent because the breaker is open, or an error reply.

    `code` is the first word of an error reply (WRONGTYPE, NOSCRIPT, OOM, …), empty for everything else. Whether a
    command that was sent took effect is unknown.
    """

    def __init__(self, detail: str, retry_after_s: int = 1, code: str = "") -> None:
        super().__init__(detail, retry_after_s)
        self.code = code


class Remote(Protocol):
    """Commands in, replies out, on one event loop. A call takes at most the configured time-out, whatever happens.

    Replies come as the server sends them: bytes (also b"OK"), int, None, or lists of these; nothing is decoded or
    regrouped. In a cluster every command needs a key, and the keys of one command must share a slot.
    """

    async def execute(self, *command: Argument) -> Any:
        """The reply to one command.

        Raises:
            RemoteError: there is no result.
        """
        ...

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies to several commands sent in one go, in their order; not a transaction.

        Raises:
            RemoteError: at least one command has no result; others may have taken effect.
        """
        ...

    @property
    def breaker_state(self) -> BreakerState:
        """Unless it is closed, commands raise at once, without I/O."""
        ...

    async def close(self) -> None:
        """Close the connections; every later command raises RemoteError."""
        ...
