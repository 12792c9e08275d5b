"""Time-outs come in time, and a process that stood still does not take its own silence for the other side's."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from service.cache.patience import patience

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]
loops = pytest.mark.parametrize("loop", LOOPS)


@loops
def test_it_ends_a_block_that_takes_too_long(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def wait() -> float:
        began = time.perf_counter()
        with pytest.raises(TimeoutError):
            async with patience(0.02):
                await asyncio.Event().wait()
        return time.perf_counter() - began

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(wait()) >= 0.019


@loops
def test_it_leaves_alone_what_ends_in_time(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def quick() -> list[object]:
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with patience(0.02):
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        return complaints

    with asyncio.Runner(loop_factory=loop) as runner:
        assert not runner.run(quick())


@loops
def test_an_answer_that_came_during_a_pause_counts(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def ask(other: socket.socket, reader: asyncio.StreamReader) -> bytes:
        async with patience(0.05):
            reading = asyncio.ensure_future(reader.read(5))
            await asyncio.sleep(0.001)
            other.sendall(b"there")
            time.sleep(0.2)
            return await reading

    async def stalled() -> bytes:
        ours, other = socket.socketpair()
        with other:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                return await ask(other, reader)
            finally:
                writer.close()
                await writer.wait_closed()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(stalled()) == b"there"


@loops
def test_standing_still_is_forgiven_once(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def stall() -> None:
        while True:
            time.sleep(0.03)
            await asyncio.sleep(0)

    async def wait() -> float:
        staller, began = asyncio.ensure_future(stall()), time.perf_counter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60), patience(0.02):
                await asyncio.Event().wait()
        staller.cancel()
        return time.perf_counter() - began

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(wait()) < 30


@loops
def test_leaving_early_is_no_timeout(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def cancelled() -> None:
        async def body() -> None:
            async with patience(5):
                await asyncio.Event().wait()

        task = asyncio.ensure_future(body())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(asyncio.CancelledError):
        runner.run(cancelled())
