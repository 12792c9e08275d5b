"""Closed-loop load: a fixed number of callers, each sending its next request when it has its answer."""

import asyncio
from collections.abc import Iterator, Sequence

import uvloop

from loadtest.bench.venvs import BenchError
from loadtest.client import Client
from loadtest.open_loop import clock, fire, quiet
from loadtest.seconds import GOOD, Shot


def run(url: str, requests: Sequence[bytes], callers: int = 1, timeout_s: float = 60.0) -> list[Shot]:
    """Send all requests, `callers` at a time; shots in the order of the requests, times since the first one."""

    async def driven() -> list[Shot]:
        client, shots = Client(url, timeout_s), [Shot(number, 0.0) for number in range(len(requests))]
        start, waiting = clock(), iter(shots)
        try:
            await asyncio.gather(*(_caller(client, requests, waiting, start) for _ in range(callers)))
        finally:
            client.close()
        return shots

    with quiet():
        return uvloop.run(driven())


async def _caller(client: Client, requests: Sequence[bytes], waiting: Iterator[Shot], start: float) -> None:
    for shot in waiting:
        shot.intended = clock() - start
        await fire(client, requests[shot.number], shot, start)


def answered(shots: Sequence[Shot]) -> list[Shot]:
    """The same shots.

    Raises:
        BenchError: one of them is no answer with status 200.
    """
    for shot in shots:
        if shot.status != GOOD:
            said = shot.error or (shot.reply.body.decode(errors="replace") if shot.reply else "it was skipped")
            raise BenchError(f"request {shot.number} was not answered (status {shot.status}): {said[:300]}")
    return list(shots)


def per_second(shots: Sequence[Shot]) -> float:
    """Answers a second, from the first start to the last end."""
    return len(shots) / (max(shot.ended for shot in shots) - min(shot.intended for shot in shots))
