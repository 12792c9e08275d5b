"""What the tests of the cache share: the production loop, remotes that are closed again, encodings to store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np
import uvloop
from numpy.typing import NDArray
from redis_server import RedisServer

from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache
from service.cache.redis import RedisRemote, connect
from service.cache.remote import RemoteError

T = TypeVar("T")
MODEL = "tiny@1"
GENEROUS_S = 5.0  # for tests in which Redis is well: a busy machine is no reason to fail


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@asynccontextmanager
async def remote_at(url: str, timeout_s: float = GENEROUS_S) -> AsyncIterator[RedisRemote]:
    remote = connect(url, timeout_s)
    try:
        yield remote
    finally:
        await remote.close()


@asynccontextmanager
async def cache_at(
    url: str, memory: MemoryCache | None = None, timeout_s: float = GENEROUS_S
) -> AsyncIterator[EncodingCache]:
    """A cache that writes to Redis, and in-process only to the memory that is passed in."""
    async with remote_at(url, timeout_s) as remote:
        cache = EncodingCache(memory, remote, ttl_s=1000)
        cache.start()
        try:
            yield cache
        finally:
            await cache.close()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def outcome(remote: RedisRemote, *command: str | bytes | int) -> Any:
    """The reply, or the error instead of it."""
    try:
        return await remote.execute(*command)
    except RemoteError as error:
        return error


@asynccontextmanager
async def liar(garbage: bytes) -> AsyncIterator[int]:
    """Answers everything with the same bytes, then with silence."""
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(4096):
            writer.write(garbage)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0)


def encoding(seed: int, rows: int = 5, width: int = 8) -> NDArray[np.float16]:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float16)


def key_of(cache: EncodingCache, seed: int, model: str = MODEL) -> bytes:
    codes = np.random.default_rng(seed).integers(0, 256, (5, 3), np.int32)
    return cache.key(model, codes, np.arange(5, dtype=np.int32))


def calls(server: RedisServer, command: str) -> int:
    """How often the server was sent this command since its counters were reset."""
    lines = server.command("INFO", "commandstats").decode().splitlines()
    found = [line for line in lines if line.startswith(f"cmdstat_{command}:")]
    return int(found[0].partition("calls=")[2].partition(",")[0]) if found else 0


def connections_received(server: RedisServer) -> int:
    lines = server.command("INFO", "stats").decode().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("total_connections_received"))
