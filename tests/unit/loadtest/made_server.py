"""A small HTTP/1.1 server in a thread, whose answers a test chooses request by request."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Said:
    """One answer; `raw` replaces all of it; after `delay_s`; `last`: the connection is closed behind it."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    raw: bytes | None = None
    last: bool = False

    def bytes(self) -> bytes:
        body = json.dumps(self.body).encode()
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


Answer = Callable[[int, bytes], Said]


@dataclass
class MadeServer:
    """`requests`: the bodies received, in order; `connections`: how many were opened."""

    answer: Answer
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await self.head(reader):
                lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else head.split(b"\r\n")[0]
                self.requests.append(body)
                said = self.answer(len(self.requests) - 1, body)
                await asyncio.sleep(said.delay_s)
                writer.write(said.bytes() if said.raw is None else said.raw)
                await writer.drain()
                if said.last:
                    break
        except (OSError, asyncio.CancelledError):
            pass  # a cancelled handler would be reported as an error of the loop
        finally:
            writer.close()

    @staticmethod
    async def head(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""


@contextmanager
def serving(answer: Answer) -> Iterator[MadeServer]:
    made, loop, ready = MadeServer(answer), asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
