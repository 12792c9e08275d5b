"""Clients with bad manners: they leave before the answer, stop in the middle of a request, or send and read slowly."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np

from loadtest.bench.soak.calls import ANSWERED, REFUSED, Tally

PIECES, PAUSE_S = 10, 0.15  # of a request that is sent slowly, of an answer that is read slowly
PATIENCE_S = 30.0
Manner = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[int]]


class Rude:
    """Opens a connection of its own for each visit. `payload` makes whole requests whose good answer is a 200."""

    def __init__(self, host: str, port: int, payload: Callable[[], bytes], tally: Tally, seed: int = 0) -> None:
        self._host, self._port, self._payload, self._tally = host, port, payload, tally
        self._rng = np.random.default_rng(seed)

    async def visit(self, rate: float, over: Callable[[], bool]) -> None:
        """Poisson visits until it is over; then wait for the last ones."""
        visits = set[asyncio.Task[None]]()
        while not over():
            await asyncio.sleep(float(self._rng.exponential(1 / rate)))
            task = asyncio.create_task(self._one(str(self._rng.choice(list(MANNERS)))))
            visits.add(task)
            task.add_done_callback(visits.discard)
        await asyncio.gather(*visits)

    async def _one(self, name: str) -> None:
        kind = f"a client that {name}"
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    status = await MANNERS[name](reader, writer, self._payload())
                finally:
                    writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self._tally.fault(kind, f"{type(error).__name__}: {error}")
            return
        if status in (0, 200, 503):
            self._tally.outcomes[kind, REFUSED if status == 503 else ANSWERED] += 1
        else:
            self._tally.fault(kind, f"status {status}")


async def _leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes) -> int:  # noqa: ARG001 - who leaves reads nothing
    writer.write(payload)
    await writer.drain()
    await asyncio.sleep(0.002)
    return 0


async def _stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes) -> int:  # noqa: ARG001 - the same
    writer.write(payload[: len(payload) * 2 // 3])
    await writer.drain()
    await asyncio.sleep(1.0)
    return 0


async def _sends_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes) -> int:
    for start in range(0, len(payload), step := len(payload) // PIECES + 1):
        writer.write(payload[start : start + step])
        await writer.drain()
        await asyncio.sleep(PAUSE_S)
    return await _status(reader)


async def _reads_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes) -> int:
    writer.write(payload)
    await writer.drain()
    await asyncio.sleep(PIECES * PAUSE_S)
    return await _status(reader, PAUSE_S)


async def _status(reader: asyncio.StreamReader, pause_s: float = 0.0) -> int:
    """Of an answer that is read to its end, a line or a part at a time."""
    status, length = int((await reader.readuntil(b"\r\n")).split(b" ")[1]), 0
    while line := (await reader.readline()).strip().lower():
        length = int(line.partition(b":")[2]) if line.startswith(b"content-length:") else length
    for _ in range(PIECES if pause_s else 0):
        await asyncio.sleep(pause_s)
    await reader.readexactly(length)
    return status


MANNERS: dict[str, Manner] = {
    "leaves": _leaves,
    "stops": _stops,
    "sends slowly": _sends_slowly,
    "reads slowly": _reads_slowly,
}
