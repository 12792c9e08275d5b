"""Closed-loop load on several nodes at once: a driver beside every node, pinned to the node's core.

So one node and two are measured alike: every core carries a node and the driver of that node.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from loadtest.bench import closed_loop, machine
from loadtest.seconds import GOOD


@dataclass(frozen=True)
class Found:
    """Of one driver: answers a second, their median in ms, and how many requests were not answered with 200."""

    per_second: float
    p50_ms: float
    failed: int


class Drivers:
    """A process for each entry of `cores`; a context manager."""

    def __init__(self, cores: Sequence[tuple[int, ...]]) -> None:
        self._cores = tuple(cores)
        self._opened = ExitStack()
        self._pools: list[ProcessPoolExecutor] = []

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        for cores in self._cores:
            pool = ProcessPoolExecutor(1, spawn, initializer=machine.pin, initargs=(0, cores))
            self._pools.append(self._opened.enter_context(pool))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self, urls: Sequence[str | None], bodies: Sequence[bytes], callers: int) -> list[Found]:
        """Every driver sends all bodies to its address, `callers` at a time; a driver without an address rests."""
        asked = [pool.submit(measure, url, bodies, callers) for pool, url in zip(self._pools, urls, strict=True) if url]
        return [one.result() for one in asked]


def measure(url: str, bodies: Sequence[bytes], callers: int) -> Found:
    """One closed loop over the bodies."""
    shots = closed_loop.run(url, bodies, callers)
    latencies = sorted(shot.latency_s for shot in shots)
    failed = sum(shot.status != GOOD for shot in shots)
    return Found(closed_loop.per_second(shots) * (1 - failed / len(shots)), 1000 * latencies[len(shots) // 2], failed)
