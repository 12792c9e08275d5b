"""A lean open-loop driver: requests as ready bytes over connections that stay, a few µs of its own for each.

`loadtest.open_loop` has a task, a future and a parser for every request; at thousands of refusals a second those would
be what is measured. Here replies are told apart by their status and announced length alone.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import uvloop
from numpy.typing import NDArray

from loadtest.open_loop import quiet
from loadtest.seconds import GOOD, SHED

F64 = NDArray[np.float64]
I16 = NDArray[np.int16]
Flags = NDArray[np.bool_]
TICK_S = 0.001
LOWERED, AFTER, PROBLEM = b'"reason":"load"', b"\r\nretry-after: ", b"application/problem+json"
LENGTH, END = b"\r\ncontent-length: ", b"\r\n\r\n"
clock = time.perf_counter


@dataclass(frozen=True)
class Fired:
    """What came of N arrivals: seconds since the start f64 [N] (NaN: never), statuses int16 [N] (0: no reply).

    `lowered` bool [N]: answered by a tier that the load had lowered. `unclear`: refusals (503) that were no problem
    with a Retry-After; `busy`: share of the driver's core.
    """

    intended: F64
    sent: F64
    ended: F64
    status: I16
    lowered: Flags
    unclear: int
    busy: float

    @property
    def latency_s(self) -> F64:
        """From the intended start; NaN where no reply came."""
        return self.ended - self.intended

    @property
    def late_ms(self) -> float:
        """The 99th percentile of how much later than intended a request left."""
        sent = self.sent - self.intended
        known = sent[~np.isnan(sent)]
        return 1000 * float(np.percentile(known, 99)) if len(known) else 0.0

    @property
    def unsent(self) -> int:
        """Arrivals that found no free connection until the end."""
        return int(np.isnan(self.sent).sum())


class _Lane(asyncio.Protocol):
    """One connection with at most one request under way; it comes back when the other side closes it."""

    def __init__(self, battery: "_Battery") -> None:
        self._battery = battery
        self._transport: asyncio.WriteTransport | None = None
        self._number, self._held, self._missing = -1, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass of it
        self._battery.idle.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._battery.left(self._number)

    def ask(self, number: int, payload: bytes) -> bool:
        """False: the connection is closing."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._number = number
        self._transport.write(payload)
        return True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
            if self._missing <= 0:
                self._done()
            return
        data = self._held + data
        end = data.find(END)
        if end < 0:
            self._held = data
            return
        at = data.find(LENGTH, 0, end + 2)
        length = int(data[at + len(LENGTH) : data.index(b"\r", at + 2)]) if at >= 0 else 0
        self._battery.began(self._number, int(data[9:12]), data, end)
        self._held, self._missing = b"", end + len(END) + length - len(data)
        if self._missing <= 0:
            self._done()

    def _done(self) -> None:
        number, self._number, self._missing = self._number, -1, 0
        self._battery.done(self, number)


class _Battery:
    """All lanes and what came back on them."""

    def __init__(self, host: str, port: int, payloads: Sequence[bytes], times: Sequence[float]) -> None:
        self._address, self._payloads = (host, port), payloads
        self.idle: list[_Lane] = []
        self.intended = np.asarray(times, np.float64)
        self.sent, self.ended = (np.full(len(times), np.nan) for _ in range(2))
        self.status = np.zeros(len(times), np.int16)
        self.lowered = np.zeros(len(times), np.bool_)
        self.unclear = self.running = 0
        self._over = False
        self._opening = set[asyncio.Task[None]]()

    async def open(self, lanes: int) -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, lanes, 64):
            count = min(64, lanes - start)
            await asyncio.gather(*(loop.create_connection(lambda: _Lane(self), *self._address) for _ in range(count)))

    async def fire(self, rest_s: float) -> None:
        """Send every arrival in its time, then wait for replies for `rest_s` at most."""
        start, ahead, due = clock(), 0, self.intended.tolist()
        self.start = start
        while ahead < len(due):
            now = clock() - start
            while ahead < len(due) and due[ahead] <= now and self.idle:
                if self.idle.pop().ask(ahead, self._payloads[ahead % len(self._payloads)]):
                    self.sent[ahead] = now
                    self.running += 1
                    ahead += 1
            if now > due[-1] + rest_s:
                break  # the rest finds no connection
            await asyncio.sleep(TICK_S)
        give_up = clock() + rest_s
        while self.running and clock() < give_up:
            await asyncio.sleep(0.005)

    def began(self, number: int, status: int, data: bytes, end: int) -> None:
        if number >= 0:
            self.status[number] = status
            if status == GOOD:
                self.lowered[number] = LOWERED in data
            elif status == SHED and (data.find(AFTER, 0, end) < 0 or PROBLEM not in data):
                self.unclear += 1

    def done(self, lane: _Lane, number: int) -> None:
        if number >= 0:
            self.ended[number] = clock() - self.start
            self.running -= 1
        self.idle.append(lane)

    def left(self, number: int) -> None:
        if number >= 0:  # in the midst of a request
            self.status[number], self.running = 0, self.running - 1
        if not self._over:
            task = asyncio.get_running_loop().create_task(self._again())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _again(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Lane(self), *self._address)
        except OSError:
            await asyncio.sleep(0.05)
            if not self._over:
                await self._again()

    def end(self) -> None:
        self._over = True
        for task in self._opening:
            task.cancel()
        for lane in self.idle:
            lane.close()


def fire(port: int, payloads: Sequence[bytes], times: Sequence[float], lanes: int = 1024, rest_s: float = 3.0) -> Fired:
    """Send payload n modulo their number at `times[n]` seconds from now, over `lanes` connections opened before."""

    async def driven() -> Fired:
        battery = _Battery("127.0.0.1", port, payloads, times)
        await battery.open(lanes)
        began, spent = clock(), time.process_time()
        await battery.fire(rest_s)
        busy = (time.process_time() - spent) / (clock() - began)
        battery.end()
        await asyncio.sleep(0)
        parts = (battery.intended, battery.sent, battery.ended, battery.status, battery.lowered)
        return Fired(*parts, battery.unclear, busy)

    with quiet():
        return uvloop.run(driven())
