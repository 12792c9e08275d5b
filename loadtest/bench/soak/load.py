"""The load of a soak: an open loop that keeps no replies, so that it can go on for hours; a closed one before it."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np

from loadtest.bench.soak.calls import Call, Tally, send
from loadtest.client import Client
from loadtest.open_loop import clock

Draw = Callable[[], Call]
Over = Callable[[], bool]
IN_FLIGHT = 1000


async def offer(client: Client, draw: Draw, rate: float, over: Over, tally: Tally, seed: int = 0) -> None:
    """Poisson arrivals, `rate` a second until it is over, answered or not; then wait for the last replies.

    An arrival that finds IN_FLIGHT calls under way is skipped, and counted.
    """
    running, loop = set[asyncio.Task[str]](), asyncio.get_running_loop()
    for intended in arrivals(rate, clock(), over, np.random.default_rng(seed)):
        while (early := intended - clock()) > 0:  # a sleep may end half a millisecond early
            await asyncio.sleep(early)
        if len(running) >= IN_FLIGHT:
            tally.skipped += 1
            continue
        task = loop.create_task(send(client, draw(), tally, intended))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(0)  # a late driver lets replies in between two calls
    await asyncio.gather(*running)


def arrivals(rate: float, begin: float, over: Over, rng: np.random.Generator) -> Iterator[float]:
    """Intended starts from `begin` on, one after another; `over` is asked before each."""
    at = begin
    while not over():
        at += rng.exponential(1 / rate)
        yield at


async def saturate(client: Client, draw: Draw, callers: int, seconds: float, tally: Tally) -> float:
    """A closed loop of `callers`; replies a second."""
    began, before = clock(), tally.calls

    async def caller() -> None:
        while clock() - began < seconds:
            await send(client, draw(), tally, clock())

    await asyncio.gather(*(caller() for _ in range(callers)))
    return (tally.calls - before) / (clock() - began)


async def through(client: Client, calls: Iterator[Call], callers: int, tally: Tally) -> None:
    """All of these calls, `callers` at a time."""

    async def caller() -> None:
        for call in calls:
            await send(client, call, tally, clock())

    await asyncio.gather(*(caller() for _ in range(callers)))
