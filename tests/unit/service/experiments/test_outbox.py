"""The queue before a slow place: bounded, in order, retried, flushed at the end within its patience."""

import asyncio
import time
from collections.abc import Sequence

from event_world import run
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.events import pack
from service.experiments.outbox import Outbox


def lines(*numbers: int) -> list[bytes]:
    return [pack({"n": number}) or b"" for number in numbers]


class Place:
    """Takes lines as `script` says: how many of a batch, or an error; after the script, everything."""

    def __init__(self, *script: int | Exception) -> None:
        self.script = list(script)
        self.taken: list[bytes] = []

    async def send(self, batch: Sequence[bytes]) -> int:
        await asyncio.sleep(0)
        step = self.script.pop(0) if self.script else len(batch)
        if isinstance(step, Exception):
            raise step
        self.taken += batch[:step]
        return min(step, len(batch))


steps = st.integers(0, 5) | st.sampled_from([OSError(28, "No space left on device"), KeyError("bug")])


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=8), st.integers(0, 40), st.integers(1, 7))
def test_every_line_arrives_once_and_in_order(script: list[int | Exception], count: int, batch: int) -> None:
    async def scenario() -> None:
        place, told = Place(*script), list[str]()
        outbox = Outbox(place.send, limit=100, batch=batch, on_error=told.append, retry_s=0.0)
        outbox.start()
        for number in range(count):
            outbox.put({"n": number})
        while len(outbox):
            await asyncio.sleep(0)
        assert await outbox.close()
        assert place.taken == lines(*range(count))
        assert outbox.dropped == 0
        assert len(told) <= outbox.failures

    run(scenario())


def test_each_episode_of_failures_is_told_once() -> None:
    async def scenario() -> None:
        full = OSError(28, "No space left on device")
        place, told = Place(full, full, full, 1, full, full), list[str]()
        outbox = Outbox(place.send, limit=100, batch=10, on_error=told.append, retry_s=0.0)
        outbox.start()
        for number in range(3):
            outbox.put({"n": number})
        while len(outbox):
            await asyncio.sleep(0)
        await outbox.close()
        assert (len(told), outbox.failures) == (2, 5)
        assert "No space left" in told[0]

    run(scenario())


def test_without_room_new_events_are_dropped_and_nobody_waits() -> None:
    async def scenario() -> None:
        place = Place()
        outbox = Outbox(place.send, limit=5, batch=10)
        for number in range(8):
            outbox.put({"n": number})
        assert (len(outbox), outbox.dropped) == (5, 3)
        outbox.start()
        await outbox.close()
        assert place.taken == lines(0, 1, 2, 3, 4)
        outbox.put({"n": 9})
        assert (len(outbox), outbox.dropped) == (0, 4)

    run(scenario())


def test_the_end_waits_for_one_last_try_only() -> None:
    async def scenario() -> None:
        failing = Place(*[OSError("down")] * 1000)
        outbox = Outbox(failing.send, limit=100, batch=10, retry_s=3600.0)
        outbox.start()
        outbox.put({"n": 1})
        await asyncio.sleep(0.01)
        assert await outbox.close()
        assert outbox.dropped == 1
        assert outbox.failures <= 2

    run(scenario())


def test_a_place_that_hangs_holds_the_end_up_no_longer_than_its_patience() -> None:
    async def hang(_: Sequence[bytes]) -> int:
        await asyncio.sleep(3600)
        return 0

    async def scenario() -> None:
        outbox = Outbox(hang, limit=100, batch=10)
        outbox.start()
        outbox.put({"n": 1})
        await asyncio.sleep(0.01)
        started = time.monotonic()
        assert not await outbox.close(patience_s=0.05)
        assert time.monotonic() - started < 30
        assert outbox.dropped == 1

    run(scenario())


def test_an_outbox_that_never_began_ends_quietly() -> None:
    async def scenario() -> None:
        outbox = Outbox(Place().send, limit=5, batch=1)
        outbox.put({"n": 1})
        assert await outbox.close()
        assert outbox.dropped == 1

    run(scenario())
