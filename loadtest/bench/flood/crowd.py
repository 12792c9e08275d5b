"""Attacks by numbers: one user asked for by hundreds, bodies of 5 MB, thousands of connections, connections anew."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from loadtest.bench.flood.slow import Told

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
BIG = 5 << 20
OPENING = 64  # connections opened at the same time
REST_S = 0.05
CALLER_S = 10.0
TROUBLE = (OSError, EOFError, TimeoutError, ValueError)


async def hot(port: int, connections: int, seconds: float, request: bytes) -> Told:
    """So many callers ask the same for the same user, each again as soon as it has an answer."""

    async def ask(until: float, told: Told) -> None:
        async with _opened(port) as streams:
            while time.monotonic() < until:
                told[await _status(streams, request)] += 1

    return await _callers(connections, seconds, ask)


async def churn(port: int, connections: int, seconds: float, request: bytes) -> Told:
    """A connection for every request, so many at a time."""

    async def ask(_: float, told: Told) -> None:
        async with _opened(port) as streams:
            told[await _status(streams, request)] += 1

    return await _callers(connections, seconds, ask)


async def large(port: int, connections: int, seconds: float) -> Told:
    """Bodies of 5 MB, one after another on every connection."""
    head = (
        f"POST /recommend HTTP/1.1\r\nHost: promise\r\nContent-Type: application/json\r\nContent-Length: {BIG}\r\n\r\n"
    )
    request = head.encode() + b" " * BIG

    async def ask(until: float, told: Told) -> None:
        async with _opened(port) as streams:
            while time.monotonic() < until:
                told[await _status(streams, request)] += 1

    return await _callers(connections, seconds, ask)


async def many(port: int, connections: int, seconds: float, request: bytes) -> Told:
    """So many connections opened, left alone for a while, then asking, each once."""
    told, kept, until = Counter[str](), list[Streams](), time.monotonic() + seconds
    opening = asyncio.Semaphore(OPENING)

    async def open_one() -> None:
        async with opening:
            try:
                kept.append(await asyncio.open_connection("127.0.0.1", port))
            except OSError:
                told["not accepted"] += 1

    began = time.monotonic()
    await asyncio.gather(*(open_one() for _ in range(connections)))
    told |= Counter({"opened": len(kept), "opening ms": round(1000 * (time.monotonic() - began))})
    await asyncio.sleep(max(0.0, (until - time.monotonic()) / 2))
    left, share = until - time.monotonic(), len(kept)

    async def ask_one(place: int, streams: Streams) -> None:
        await asyncio.sleep(left * place / share)
        told[await _told(streams, request)] += 1

    await asyncio.gather(*(ask_one(place, streams) for place, streams in enumerate(kept)))
    for _, writer in kept:
        writer.transport.abort()
    return told


async def _told(streams: Streams, request: bytes) -> str:
    try:
        return await asyncio.wait_for(_status(streams, request), CALLER_S)
    except TROUBLE:
        return "closed"


async def _callers(count: int, seconds: float, ask: Callable[[float, Told], Coroutine[Any, Any, None]]) -> Told:
    told, until = Counter[str](), time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < until:
            try:
                await asyncio.wait_for(ask(until, told), max(CALLER_S, until - time.monotonic() + 1))
            except TROUBLE:
                told["closed"] += 1
                await asyncio.sleep(REST_S)

    await asyncio.gather(*(caller() for _ in range(count)))
    return told


@asynccontextmanager
async def _opened(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(streams: Streams, request: bytes) -> tuple[int, dict[bytes, bytes]]:
    """The status of the answer, which is read to its end, and its headers; it may come before all is sent."""
    reader, writer = streams
    writer.write(request)
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    await reader.readexactly(int(headers.get(b"content-length", b"0")))
    with suppress(ConnectionError):
        await writer.drain()
    return int(lines[0][9:12]), headers


async def _status(streams: Streams, request: bytes) -> str:
    return str((await answer(streams, request))[0])
