"""The ways to Redis that a URL may name: one server, a primary that sentinels watch, a cluster."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.cache.cluster import Cluster
from service.cache.sentinel import Sentinel
from service.cache.single import Address, Command, Single
from service.errors import SettingsError

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
SENTINEL_PORT = 26379
FORMS = (
    "PROMISE_REDIS_URL is not valid: it must be redis://[user:password@]host:port/database, the same with rediss://,"
    " unix:///path, redis+sentinel://[user:password@]host:port,host:port/name of the primary[/database], or"
    " redis+cluster://[user:password@]host:port,host:port."
)


class Link(Protocol):
    """Connections are made by the commands that need them. Errors are redis-py's, or any other on garbage."""

    async def execute(self, command: Command) -> Any: ...

    async def pipeline(self, commands: Sequence[Command], last: Command = ()) -> list[Any]:
        """`last`, a command without a key, follows on every connection used; its least reply comes last."""

    async def open(self) -> None:
        """Until commands can be sent; cheap when they can."""

    async def reset(self) -> None:
        """Forget who serves what, and idle connections."""

    async def close(self) -> None: ...


def link(url: str, timeout_s: float, connections: int) -> Link:
    """A link for redis://, unix://, redis+sentinel:// or redis+cluster://, or the same with rediss, without I/O.

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
            return _cluster(scheme.removesuffix("+cluster"), rest, options, timeout_s)
        if scheme.endswith("+sentinel"):
            return _sentinel(scheme.removesuffix("+sentinel"), rest, options, timeout_s)
        return Single(_parsed(url) | options)
    except (ValueError, TypeError, OSError, RedisError):
        raise SettingsError(FORMS) from None


def _cluster(scheme: str, rest: str, options: dict[str, Any], timeout_s: float) -> Cluster:
    account, hosts, tail = _parts(rest)
    parsed = [_parsed(f"{scheme}://{account}{host}{tail}") for host in hosts]
    seeds = [_address(one, 6379) for one in parsed]
    if parsed[0].pop("db", 0) or "path" in parsed[0]:
        raise ValueError("a cluster has one database, and no socket")
    return Cluster(seeds, _server(parsed[0] | options), timeout_s)


def _sentinel(scheme: str, rest: str, options: dict[str, Any], timeout_s: float) -> Sentinel:
    account, hosts, tail = _parts(rest)
    path, mark, query = tail.partition("?")
    name, _, database = path.removeprefix("/").partition("/")
    parsed = [_parsed(f"{scheme}://{account}{host}/{database}{mark}{query}") for host in hosts]
    addresses = [_address(one, SENTINEL_PORT) for one in parsed]
    if not name or "path" in parsed[0]:
        raise ValueError("no name of the primary, or a socket")
    own = {part: parsed[0].pop(f"sentinel_{part}", None) for part in ("username", "password")}
    sentinel = _server({key: value for key, value in parsed[0].items() if key != "db"} | options | own)
    server = _server(parsed[0] | options)
    server(addresses[0])  # an option that none can have shows here
    return Sentinel([sentinel(address) for address in addresses], unquote(name), server, timeout_s)


def _server(options: dict[str, Any]) -> Callable[[Address], Single]:
    return lambda address: Single(options | {"host": address[0], "port": address[1]})


def _parts(rest: str) -> tuple[str, list[str], str]:
    """The account with its @, the hosts with their ports, and what follows them."""
    account, at, hosts = rest.partition("/")[0].partition("?")[0].rpartition("@")
    return account + at, hosts.split(","), rest[len(account + at + hosts) :]


def _address(parsed: dict[str, Any], port: int) -> Address:
    return str(parsed.pop("host", "localhost")), int(parsed.pop("port", port))


def _parsed(url: str) -> dict[str, Any]:
    """redis-py's reading of the URL, refusing what it silently passes over."""
    parts, parsed = urlsplit(url), dict[str, Any](parse_url(url))
    database = parts.path.strip("/")
    if parts.scheme == "unix" and not parsed.get("path"):
        raise ValueError("no path")
    if parts.scheme != "unix" and database and not database.isdecimal():
        raise ValueError("not a database number")
    for option in FILES:
        if option in parsed and not Path(parsed[option]).is_file():
            raise SettingsError(f"PROMISE_REDIS_URL is not valid: the file of its {option} is not there.")
    return parsed
