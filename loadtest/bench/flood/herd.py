"""A thundering herd: every client connects and asks at the same moment, and comes back when it is told to."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import uvloop

from loadtest.bench.flood.crowd import TROUBLE, answer
from loadtest.open_loop import quiet
from loadtest.seconds import GOOD, SHED

AGAIN_S = 0.05


@dataclass
class Herd:
    """`answered`: seconds from the first accepted connection until each client had its answer, NaN: never.

    `told`: how often clients were refused, cut off or not accepted meanwhile.
    """

    answered: list[float] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    since: float = float("inf")

    def plain(self) -> dict[str, float]:
        known = [one for one in self.answered if one == one]
        spread = np.percentile(known, [50, 99, 100]).tolist() if known else [float("nan")] * 3
        figures = dict(zip(("half_s", "p99_s", "all_s"), (round(one, 2) for one in spread), strict=True))
        return {"clients": len(self.answered), "unanswered": len(self.answered) - len(known), **figures, **self.told}


def rush(port: int, requests: Sequence[bytes], patience_s: float) -> Herd:
    """One client for every request; each asks until it is answered or patience ends."""

    async def all_at_once() -> Herd:
        herd, until = Herd(), time.monotonic() + patience_s
        await asyncio.gather(*(_client(port, request, until, herd) for request in requests))
        return herd

    with quiet():
        return uvloop.run(all_at_once())


async def _client(port: int, request: bytes, until: float, herd: Herd) -> None:
    while time.monotonic() < until:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                if await _visit(port, request, herd):
                    herd.answered.append(time.monotonic() - herd.since)
                    return
        except TROUBLE as error:
            herd.told["not accepted" if isinstance(error, ConnectionRefusedError) else "cut off"] += 1
            await asyncio.sleep(AGAIN_S)
    herd.answered.append(float("nan"))


async def _visit(port: int, request: bytes, herd: Herd) -> bool:
    """On one connection until an answer comes; False: on another one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    herd.since = min(herd.since, time.monotonic())
    try:
        while True:
            status, headers = await answer((reader, writer), request)
            if status == GOOD:
                return True
            if status != SHED:
                herd.told[str(status)] += 1
                return False
            herd.told["refused"] += 1
            await asyncio.sleep(float(headers[b"retry-after"]))
    finally:
        writer.transport.abort()
