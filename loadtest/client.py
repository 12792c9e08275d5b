"""A lean HTTP/1.1 client for load tests: keep-alive connections, requests as ready bytes, replies read later."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httptools


class ClientError(Exception):
    """No reply: refused, closed, timed out, or not HTTP; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names are in lower case. The body is parsed by whoever wants it, after the timed part."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class _Reading:
    headers: dict[str, str] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One socket with at most one request under way."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._reading = _Reading()
        self._waiting: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None
        self.open = False

    def ask(self, request: bytes, waiting: asyncio.Future[Reply]) -> None:
        assert self._transport is not None
        self._waiting = waiting
        self._transport.write(request)

    def abort(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = cast(asyncio.Transport, transport), True  # uvloop's is no subclass of it

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._fail(f"the connection was lost ({error or 'closed by the other side'})")

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the reply is not HTTP ({error})")
            self.abort()

    def on_message_begin(self) -> None:
        self._reading = _Reading()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reading.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._reading.body.append(body)

    def on_message_complete(self) -> None:
        self.open = self.open and self._parser.should_keep_alive()
        reply = Reply(self._parser.get_status_code(), self._reading.headers, b"".join(self._reading.body))
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)
        self._waiting = None

    def _fail(self, reason: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ClientError(f"{reason}."))
        self._waiting = None


class Client:
    """Calls one server. Connections are kept and reused newest first; there is one per request under way."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ClientError(f"{url} is not an http:// address.")
        self.host, self.port, self.timeout_s = parts.hostname, parts.port or 80, timeout_s
        self._idle: list[_Connection] = []

    async def send(self, request: bytes) -> Reply:
        """The reply to a request made by `request`; never sent twice.

        Raises:
            ClientError: no reply within `timeout_s`.
        """
        connection = self._kept() or await self._connect()
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        connection.ask(request, waiting)
        try:
            async with asyncio.timeout(self.timeout_s):
                reply = await waiting
        except BaseException as error:
            connection.abort()
            if isinstance(error, TimeoutError):
                raise ClientError(f"no reply within {self.timeout_s:g} s.") from None
            raise
        if connection.open:
            self._idle.append(connection)
        else:
            connection.abort()
        return reply

    async def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request, the body as JSON; raises as `send`."""
        return await self.send(request(method, path, None if body is None else json.dumps(body).encode(), headers))

    async def open(self, connections: int) -> None:
        """Have this many idle connections, as the pool of a proxy before the server would; raises as `send`."""
        while len(self._idle) < connections:
            self._idle.append(await self._connect())

    def close(self) -> None:
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _kept(self) -> _Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        return None

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(self.timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(_Connection, self.host, self.port)
        except OSError as error:  # TimeoutError is one
            raise ClientError(f"{self.host}:{self.port} does not accept a connection ({error}).") from None
        return connection


def request(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request as bytes, made before the clock runs."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: promise",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
