"""The retry policy of the outage table, over real sockets: who is asked, how often, and when a caller gives up."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TypeVar, cast

import pytest

from loadtest.bench.outages.policy import EVENTS, TRIES, Policy, Replicas
from loadtest.client import ClientError, Reply, request

T = TypeVar("T")
QUICK = Policy(whole_s=0.5, try_s=0.15, pause_s=0.02, longest_s=0.05, shunned_s=0.5)
READ, EVENT = request("POST", "/recommend", b"{}"), request("POST", "/events", b"{}")
OK, BUSY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Answers every request with `reply`; an empty one closes the connection, none at all says nothing."""

    def __init__(self, reply: bytes | None) -> None:
        self.reply, self.asked = reply, 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Talk(self), "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


class _Talk(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, _data: bytes) -> None:
        self._server.asked += 1
        if self._server.reply:
            self._transport.write(self._server.reply)
        elif self._server.reply is not None:
            self._transport.close()


@contextmanager
def closed_port() -> Iterator[str]:
    """Bound and not listened on: nobody else can get it, and connections are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def asked(servers: list[Server], then: Callable[[Replicas], Awaitable[T]], more: tuple[str, ...] = ()) -> T:
    async def run() -> T:
        async with AsyncExitStack() as opened:
            urls = [await opened.enter_async_context(server) for server in servers]
            client = Replicas([*urls, *more], QUICK, Policy(whole_s=0.4, try_s=0.15, resent=100, pause_s=0.02))
            try:
                return await then(client)
            finally:
                client.close()
                await asyncio.sleep(0.01)  # until both sides know

    return asyncio.run(run())


async def four(client: Replicas) -> list[Reply]:
    return [await client.send(READ) for _ in range(4)]


def test_replicas_take_turns() -> None:
    servers = [Server(OK), Server(OK)]
    assert {reply.headers[TRIES] for reply in asked(servers, four)} == {"1"}
    assert [server.asked for server in servers] == [2, 2]


def test_a_refused_connection_and_a_503_lead_to_the_next_replica() -> None:
    servers = [Server(BUSY), Server(OK)]
    with closed_port() as nobody:
        replies = asked(servers, four, (nobody,))
    assert {reply.status for reply in replies} == {200}
    assert max(int(reply.headers[TRIES]) for reply in replies) > 1


def test_a_replica_that_gave_no_reply_is_left_alone_for_a_moment() -> None:
    silent, well = Server(None), Server(OK)
    assert [reply.status for reply in asked([silent, well], four)] == [200] * 4
    assert silent.asked == 1


def test_a_request_that_may_have_ended_a_replica_is_sent_once_more_and_then_given_up() -> None:
    servers = [Server(b""), Server(b""), Server(b"")]
    with pytest.raises(ClientError, match="after 2 tries"):
        asked(servers, lambda client: client.send(READ))
    assert sum(server.asked for server in servers) == 2


def test_events_are_sent_until_they_are_accepted() -> None:
    server = Server(BUSY)

    async def later(client: Replicas) -> Reply:
        sending = asyncio.ensure_future(client.send(EVENT))
        await asyncio.sleep(0.1)
        server.reply = OK
        return await sending

    reply = asked([server], later)
    assert reply.status == 200
    assert int(reply.headers[TRIES]) > 1
    assert "for as long" in str(EVENTS)


def test_when_the_time_is_over_the_last_refusal_is_the_answer() -> None:
    assert asked([Server(BUSY)], lambda client: client.send(EVENT)).status == 503
    with closed_port() as nobody, pytest.raises(ClientError, match="does not accept"):
        asked([], lambda client: client.send(EVENT), (nobody,))
