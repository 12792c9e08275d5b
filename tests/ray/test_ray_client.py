"""The caller of several nodes: when another node is asked, when it waits, when it gives up."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from loadtest.bench.ray import client as ray_client
from loadtest.bench.ray.client import ROUNDS, SESSION, Patient, preferred, repeatable
from loadtest.client import ClientError, Reply, request

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHED = b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
DIED = b"HTTP/1.1 500 Died\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Bug\r\nContent-Type: application/problem+json\r\nContent-Length: 0\r\n\r\n"
GONE = b""  # the connection is closed without a word
BODIES = [request("POST", "/recommend", b"{}", {SESSION: f"u{n}"}) for n in range(40)]


def asked(scripts: Sequence[Sequence[bytes]], body: bytes) -> tuple[Reply | None, list[int], int]:
    """The reply (None: an error) when node n answers with `scripts[n]` in turn, requests to each, repeats."""
    counts, talks = [0] * len(scripts), list[asyncio.Task[None]]()

    async def talk(node: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(4096):
                said = scripts[node][min(counts[node], len(scripts[node]) - 1)]
                counts[node] += 1
                writer.write(said)
                if not said:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def answering(node: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        return lambda reader, writer: talks.append(asyncio.ensure_future(talk(node, reader, writer)))

    async def run() -> tuple[Reply | None, int]:
        servers = [await asyncio.start_server(answering(node), "127.0.0.1", 0) for node in range(len(scripts))]
        client = Patient([f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in servers])
        try:
            return await client.send(body), client.again
        except ClientError:
            return None, client.again
        finally:
            client.close()
            for one in servers:
                one.close()
            await asyncio.gather(*talks)

    reply, again = asyncio.run(run())
    return reply, counts, again


def of(node: int) -> bytes:
    return next(body for body in BODIES if preferred(body, 2) == node)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the caller would have waited."""
    found: list[float] = []

    async def noted(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(ray_client, "_pause", noted)
    return found


def test_users_have_a_node_and_both_nodes_have_users() -> None:
    assert {preferred(body, 2) for body in BODIES} == {0, 1}
    again = request("POST", "/recommend", b'{"k": 3}', {SESSION: "u7"})
    assert preferred(again, 2) == preferred(BODIES[7], 2)


@pytest.mark.parametrize("trouble", [SHED, DIED, GONE])
def test_the_other_node_is_asked_at_once(trouble: bytes, waits: list[float]) -> None:
    reply, counts, again = asked([[trouble], [GOOD]], of(0))
    assert reply is not None
    assert (reply.status, counts, again, waits) == (200, [1, 1], 1, [])


@pytest.mark.parametrize("answer", [GOOD, BROKEN])
def test_what_the_service_says_is_taken(answer: bytes, waits: list[float]) -> None:
    reply, counts, again = asked([[GOOD], [answer]], of(1))
    assert reply is not None
    assert (counts, again, waits) == ([0, 1], 0, [])


def test_when_all_refuse_it_waits_as_it_was_told(waits: list[float]) -> None:
    reply, counts, again = asked([[SHED, GOOD], [SHED]], of(0))
    assert reply is not None
    assert (reply.status, counts, again, waits) == (200, [2, 1], 2, [2.0])


def test_it_gives_up(waits: list[float]) -> None:
    reply, counts, again = asked([[GONE], [GONE]], of(0))
    assert (reply, counts, again) == (None, [ROUNDS, ROUNDS], 2 * ROUNDS - 1)
    assert waits == [1.0] * (ROUNDS - 1)


def test_only_refusals_and_breaks_outside_the_service_are_repeated() -> None:
    assert not repeatable(Reply(404, {}, b""))
    assert not repeatable(Reply(500, {"content-type": "application/problem+json"}, b""))
    assert repeatable(Reply(502, {}, b""))
