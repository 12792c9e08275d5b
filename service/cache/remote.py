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
    """Commands in, replies out, on one event loop. A call takes at most the configured time-out, whatever happens;
    where replicas are to confirm, a little longer.

    Replies come as the server sends them: bytes (also b"OK"), int, None, or lists of these; nothing is decoded or
    regrouped. In a cluster the key of a command is its first argument, of EVAL the third, and further keys must share
    its slot; a command without one may go to any node.
    """

    async def execute(self, *command: Argument) -> Any:
        """The reply to one command.

        Raises:
            RemoteError: there is no result.
        """
        ...

    async def pipeline(self, commands: Sequence[Sequence[Argument]], confirm: int = 0) -> list[Any]:
        """The replies to several commands sent in one go, in their order; not a transaction.

        With `confirm` only once so many replicas of each server hold all that it has written until then, whoever
        wrote it: what a primary alone holds is lost with it.

        Raises:
            RemoteError: at least one command has no result, or too few replicas said in time that they hold it;
                commands may have taken effect.
        """
        ...

    @property
    def breaker_state(self) -> BreakerState:
        """Unless it is closed, commands raise at once, without I/O."""
        ...

    async def close(self) -> None:
        """Close the connections; every later command raises RemoteError."""
        ...
