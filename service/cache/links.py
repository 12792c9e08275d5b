"""The two ways to Redis, one server or a cluster, through redis-py's clients with nothing left of their retries."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RefusedError
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from service.cache.remote import Argument
from service.errors import SettingsError

NEEDED_BY_CLUSTER = ("COMMAND", "CLUSTER")  # replies that the cluster client reads itself, regrouped


class Link(Protocol):
    """Connections are made by the commands that need them. Errors are redis-py's, or any other on garbage."""

    async def execute(self, command: Sequence[Argument]) -> Any: ...

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]: ...

    async def open(self) -> None:
        """Until commands can be sent; cheap when they can."""

    async def reset(self) -> None:
        """Forget what is known about a cluster's nodes."""

    async def close(self) -> None: ...


def link(url: str, timeout_s: float, connections: int) -> Link:
    """A link for redis://, rediss://, unix:// or redis+cluster:// (rediss+cluster://), without I/O.

    Raises:
        SettingsError: the URL cannot be one of these.
    """
    options = {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,  # the whole command has one limit, see service.cache.patience
        "socket_connect_timeout": timeout_s,
        "max_connections": connections,
        "driver_info": None,
    }
    scheme, _, rest = url.partition("://")
    try:
        if scheme.endswith("+cluster"):
            return Cluster(scheme.removesuffix("+cluster"), rest, options)
        return Single(_parsed(url) | options)
    except (ValueError, TypeError, OSError, RedisError, RedisClusterException):
        raise SettingsError(
            "PROMISE_REDIS_URL is not valid: it must be redis://[user:password@]host:port/database, the same with"
            " rediss://, unix:///path, or redis+cluster://[user:password@]host:port,host:port."
        ) from None


class Single:
    """One server."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._pool = cast(Any, ConnectionPool(**options, redis_connect_func=_greet))
        self._pool.make_connection()  # an unknown option of the URL shows here, not at the first command
        self._client = cast(Any, Redis(connection_pool=self._pool))
        self._client.response_callbacks.clear()

    async def execute(self, command: Sequence[Argument]) -> Any:
        return await self._client.execute_command(*command)

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return _all(await pipe.execute(raise_on_error=False))

    async def open(self) -> None:
        return None

    async def reset(self) -> None:
        """A server that failed, or that became a replica, may be another one by now: its connections are stale."""
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self._pool.aclose()


class Cluster:
    """Nodes and slots are asked for at the first command, once for all who wait, and again after `reset`."""

    def __init__(self, scheme: str, rest: str, options: dict[str, Any]) -> None:
        account, at, hosts = rest.partition("/")[0].partition("?")[0].rpartition("@")
        tail = rest[len(account + at + hosts) :]
        parsed = [_parsed(f"{scheme}://{account}{at}{host}{tail}") for host in hosts.split(",")]
        nodes = [ClusterNode(one.pop("host", "localhost"), one.pop("port", 6379)) for one in parsed]
        tls = parsed[0].pop("connection_class", Connection) is SSLConnection
        self._client = cast(Any, RedisCluster(startup_nodes=nodes, ssl=tls, **parsed[0] | options))
        for name in [n for n in self._client.response_callbacks if not n.startswith(NEEDED_BY_CLUSTER)]:
            del self._client.response_callbacks[name]
        self._opening: asyncio.Task[Any] | None = None

    async def execute(self, command: Sequence[Argument]) -> Any:
        return await self._client.execute_command(*command)

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        pipe = self._client.pipeline()
        for command in commands:
            pipe.execute_command(*command)
        return _all(await pipe.execute(raise_on_error=False))

    async def open(self) -> None:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._client.initialize())
        try:
            await asyncio.shield(self._opening)  # whoever gives up waiting must not end what the others wait for
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionError("the cluster was being left while this waited for it") from None

    async def reset(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
            self._opening = None
        await self._client.aclose()

    async def close(self) -> None:
        await self.reset()
        for nodes in ("nodes_cache", "startup_nodes"):  # also those of a client that lost its cluster
            with suppress(Exception):
                await self._client.nodes_manager.aclose(nodes)


def _parsed(url: str) -> dict[str, Any]:
    """redis-py's reading of the URL, refusing what it silently passes over."""
    parts, parsed = urlsplit(url), dict[str, Any](parse_url(url))
    database = parts.path.strip("/")
    if parts.scheme == "unix" and not parsed.get("path"):
        raise ValueError("no path")
    if parts.scheme != "unix" and database and not database.isdecimal():
        raise ValueError("not a database number")
    return parsed


def _all(replies: list[Any]) -> list[Any]:
    """The replies, unless one is an error; redis-py itself would lose the error's code."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


async def _greet(connection: Connection) -> None:
    """The usual greeting, but an error reply to it is a failed connection and not the reply to a command."""
    try:
        await connection.on_connect()
    except ResponseError as error:
        raise RefusedError(str(error)) from error
