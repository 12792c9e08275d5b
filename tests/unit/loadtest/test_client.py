"""The load tests' HTTP client: connections are kept, replies are whole, every fault is one sentence."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from made_server import Said, serving

from loadtest.client import Client, ClientError, Reply, request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def use(url: str, work: Callable[[Client], Awaitable[None]], timeout_s: float = 30) -> None:
    async def used() -> None:
        client = Client(url, timeout_s)
        try:
            await work(client)
        finally:
            client.close()

    asyncio.run(used())


def test_one_connection_carries_one_request_after_the_other() -> None:
    async def work(client: Client) -> None:
        for n in range(5):
            reply = await client.call("POST", "/x", {"n": n})
            assert (reply.status, reply.json(), reply.headers["x-n"]) == (200, {"n": n}, str(n))

    with serving(lambda n, _: Said(body={"n": n}, headers={"X-N": str(n)})) as server:
        use(server.url, work)
        assert server.connections == 1
        assert server.requests == [f'{{"n": {n}}}'.encode() for n in range(5)]


def test_requests_under_way_have_a_connection_each_and_it_is_used_again() -> None:
    async def work(client: Client) -> None:
        for _ in range(3):
            replies = await asyncio.gather(*(client.call("POST", "/x", {"n": n}) for n in range(4)))
            assert [reply.json() for reply in replies] == [{"n": n} for n in range(4)]

    with serving(lambda _, body: Said(raw=Said(body={"n": int(body[-2:-1])}).bytes(), delay_s=0.05)) as server:
        use(server.url, work)
        assert server.connections == 4


def test_a_chunked_reply_is_whole() -> None:
    async def work(client: Client) -> None:
        assert await client.send(request("GET", "/")) == Reply(200, {"transfer-encoding": "chunked"}, b"abcde")

    with serving(lambda *_: Said(raw=CHUNKED)) as server:
        use(server.url, work)


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}])
def test_a_connection_that_the_server_closes_is_replaced(headers: dict[str, str]) -> None:
    async def work(client: Client) -> None:
        for _ in range(3):
            assert (await client.call("GET", "/")).status == 200
            await asyncio.sleep(0.05)  # the end of the connection arrives

    with serving(lambda *_: Said(headers=headers, last=True)) as server:
        use(server.url, work)
        assert server.connections == 3


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (Said(raw=b"SSH-2.0-OpenSSH\r\n\r\n"), "not HTTP"),
        (Said(raw=b"", last=True), "connection was lost"),
        (Said(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", last=True), "connection was lost"),
        (Said(delay_s=5), "no reply within 0.3 s"),
    ],
)
def test_what_is_no_reply_is_one_sentence_and_the_next_request_is_fine(said: Said, sentence: str) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(ClientError, match=sentence):
            await client.call("GET", "/")
        assert (await client.call("GET", "/")).status == 204

    with serving(lambda n, _: said if n == 0 else Said(204)) as server:
        use(server.url, work, timeout_s=0.3)


def test_a_refused_connection_is_one_sentence() -> None:
    async def work(client: Client) -> None:
        with pytest.raises(ClientError, match="does not accept a connection"):
            await client.call("GET", "/")

    use("http://127.0.0.1:1", work)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "https://x", "ftp://x"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="not an http"):
        Client(url)
