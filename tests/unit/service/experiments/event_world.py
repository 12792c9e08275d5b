"""What the tests of events share: the production loop, a bounded wait, a whole log read part by part."""

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from service.cache.redis import connect
from service.cache.remote import Remote
from service.experiments.events import START, Event, EventLog

GENEROUS_S = 5.0  # for tests in which Redis is well: a busy machine is no reason to fail
NOWHERE = "redis://127.0.0.1:1"


def run(scenario: Awaitable[None], seconds: float = 60) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario, seconds)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


def run_at(url: str, scenario: Callable[[Remote], Awaitable[None]], timeout_s: float = GENEROUS_S) -> None:
    """The same with a remote that is closed in the end."""

    async def connected() -> None:
        remote = connect(url, timeout_s)
        try:
            await scenario(remote)
        finally:
            await remote.close()

    run(connected())


async def everything(log: EventLog, cursor: str = START) -> list[Event]:
    """All events after the cursor."""
    found: list[Event] = []
    while True:
        more, cursor = await log.read(cursor)
        if not more:
            return found
        found += more


async def eventually(log: EventLog, count: int) -> list[Event]:
    """All events, once there are as many; a reader that comes too early must find the rest later."""
    found: list[Event] = []
    cursor = START
    while len(found) < count:
        more, cursor = await log.read(cursor)
        found += more
        await asyncio.sleep(0)
    return found
