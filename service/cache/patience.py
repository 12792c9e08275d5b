"""A time-out that blames the other side only: time in which this process was too busy to look is given back once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError in the block after so many seconds.

    A timer that fires late proves that the event loop stood still, with the answer perhaps waiting unread: the block
    then gets half the time again. Without that, one long pause of the process would time out every command in flight.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    timer: asyncio.TimerHandle | None = None
    async with asyncio.timeout(None) as scope:

        def check(last: bool) -> None:
            nonlocal timer
            if last or loop.time() - due < seconds / 4:
                scope.reschedule(loop.time())
            else:
                timer = loop.call_later(seconds / 2, check, True)

        timer = loop.call_at(due, check, False)
        try:
            yield
        finally:
            timer.cancel()
