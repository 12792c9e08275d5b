"""A TCP proxy that delays what a server answers: a slow Redis, switched on and off while clients stay connected."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self


class DelayProxy:
    """Listens on a free port of this machine and forwards to `target_port`, in a thread of its own.

    `delay_s` may be changed at any time: every chunk of an answer is held back that long.
    """

    def __init__(self, target_port: int, delay_s: float = 0.0) -> None:
        self.target_port, self.delay_s = target_port, delay_s
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target_port)
            with contextlib.closing(downstream):
                asked = asyncio.ensure_future(_copy(reader, downstream))
                try:
                    await self._answer(upstream, writer)
                finally:
                    asked.cancel()
                    await asyncio.gather(asked, return_exceptions=True)

    async def _answer(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Chunks keep their order and are delayed each by itself, so that a delay costs latency and not throughput."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.ensure_future(self._send_late(waiting, writer))
        try:
            while data := await upstream.read(1 << 16):
                waiting.put_nowait((self._loop.time() + self.delay_s, data))
            waiting.put_nowait((self._loop.time(), b""))
            await sender
        finally:
            sender.cancel()

    async def _send_late(self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while (late := await waiting.get())[1]:
            await asyncio.sleep(late[0] - self._loop.time())
            writer.write(late[1])
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the client leaves; the server then learns it too, which ends its answers."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
