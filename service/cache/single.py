"""One Redis server, through redis-py's client with nothing left of its retries."""

from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import Connection
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RefusedError

from service.cache.remote import Argument

Address = tuple[str, int]
Command = Sequence[Argument]
ELSEWHERE = (ReadOnlyError, AskError, ClusterDownError, TryAgainError)  # another server, or this one later, would do it


class Single:
    """Commands to one address. `options` are those of redis-py's connections.

    Raises:
        TypeError, RedisError: options that no connection can have.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._pool = cast(Any, ConnectionPool(**options, redis_connect_func=_greet))
        self._pool.make_connection()  # an unknown option of the URL shows here, not at the first command
        self._client = cast(Any, Redis(connection_pool=self._pool))
        self._client.response_callbacks.clear()

    async def execute(self, command: Command) -> Any:
        return await self._client.execute_command(*command)

    async def pipeline(self, commands: Sequence[Command], last: Command = ()) -> list[Any]:
        return all_of(await self.replies([*commands, last] if last else commands))

    async def replies(self, commands: Sequence[Command]) -> list[Any]:
        """To a pipeline; an error reply is an exception in the list."""
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        found: list[Any] = await pipe.execute(raise_on_error=False)
        return found

    async def open(self) -> None:
        return None

    async def reset(self) -> None:
        """A server that failed, or that became a replica, may be another one by now: its connections are stale."""
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self._pool.aclose()


def all_of(replies: list[Any]) -> list[Any]:
    """The replies, unless one is an error; redis-py itself would lose the error's code."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def refused(error: BaseException) -> bool:
    """Is the server well, and refuses this very command?"""
    return isinstance(error, ResponseError) and not isinstance(error, ELSEWHERE)


async def _greet(connection: Connection) -> None:
    """The usual greeting, but an error reply to it is a failed connection and not the reply to a command."""
    try:
        await connection.on_connect()
    except ResponseError as error:
        raise RefusedError(str(error)) from error
