"""What can be taken from a process while it runs: its clock, a host name, its disk, its peer."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.bench.venvs import BenchError

CLOCK_LIBRARY, NAMES_LIBRARY = "libfaketimeMT.so.1", "libnss_wrapper.so"
FOLDERS = ("/usr/lib", "/lib", "/usr/local/lib")
HOST = "redis.promise.test"
TMPFS_BYTES = 24 << 20


def library(name: str, package: str) -> str:
    """Where a shared library lies.

    Raises:
        BenchError: nowhere; the message names Debian's package.
    """
    found = (path for folder in FOLDERS for path in Path(folder).glob(f"**/{name}"))
    path = next(found, None)
    if path is None:
        raise BenchError(f"there is no {name} on this machine; Debian's package is called {package}")
    return str(path)


class Clock:
    """The wall clock of processes that were started with `environment`; monotonic clocks are left alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_text("+0\n")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": library(CLOCK_LIBRARY, "faketime"),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until a jump is seen
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # or threads would wait for one another wrongly, and stall
        }

    def jump(self, seconds: float) -> None:
        """So far from the real time, at once."""
        _replace(self._file, f"{seconds:+.0f}\n")


class Names:
    """A hosts file of processes that were started with `environment`: one name, which can be taken away."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "hosts"
        self.known()

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": library(NAMES_LIBRARY, "libnss-wrapper"), "NSS_WRAPPER_HOSTS": str(self._file)}

    def known(self) -> None:
        _replace(self._file, f"127.0.0.1 {HOST}\n127.0.0.1 localhost\n")

    def gone(self) -> None:
        _replace(self._file, "127.0.0.1 localhost\n")


class Disk:
    """A small file system in memory, mounted inside the context; needs root."""

    def __init__(self, size_bytes: int = TMPFS_BYTES) -> None:
        self._size = size_bytes
        self._folder = tempfile.TemporaryDirectory(prefix="promise-disk-")
        self.path = Path(self._folder.name)

    def __enter__(self) -> Self:
        self._call("mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call("umount", "--lazy", str(self.path))
        self._folder.cleanup()

    def fill(self) -> None:
        """To the last byte."""
        with (self.path / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (1 << 16, 1):
                with contextlib.suppress(OSError):
                    while filler.write(bytes(size)):
                        pass

    def free(self) -> None:
        (self.path / "filler").unlink(missing_ok=True)

    def _call(self, *command: str) -> None:
        binary = shutil.which(command[0])
        if binary is None:
            raise BenchError(f"there is no {command[0]} on this machine")
        done = subprocess.run([binary, *command[1:]], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"a small file system cannot be mounted here, as root can: {done.stderr.strip()}")


class Hole:
    """A TCP forwarder to `port` whose peer can vanish without a word: nothing is passed on, nothing is closed, and new
    connections are not accepted, not even by the kernel.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._open, self._leaving = threading.Event(), threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.port: int = self._listener.getsockname()[1]
        self._kept: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()
        for one in (*self._kept, self._listener):
            one.close()

    def vanish(self) -> None:
        """Existing connections hang; the accept queue is filled, so that later SYNs go unanswered."""
        self._open.clear()
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self._kept.append(waiting)

    def come_back(self) -> None:
        """New connections are served again; those of before stay dead."""
        for waiting in self._kept:
            waiting.close()
        self._kept.clear()
        self._open.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._listener.setblocking(False)
        tasks: set[asyncio.Task[None]] = set()
        while not self._leaving.is_set():
            with contextlib.suppress(BlockingIOError):
                while self._open.is_set():
                    client, _ = self._listener.accept()
                    client.setblocking(False)
                    tasks.add(self._loop.create_task(self._forward(client)))
            await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forward(self, client: socket.socket) -> None:
        server = socket.socket()
        server.setblocking(False)
        with client, server:
            await self._loop.sock_connect(server, ("127.0.0.1", self._target))
            both = [self._pass(client, server), self._pass(server, client)]
            with contextlib.suppress(OSError):
                await asyncio.gather(*both)

    async def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        while data := await self._loop.sock_recv(source, 1 << 16):
            if not self._open.is_set():
                await asyncio.Event().wait()  # for good: this peer is gone
            await self._loop.sock_sendall(sink, data)
        raise OSError("one side has left")


def _replace(file: Path, text: str) -> None:
    """At once and with a new time stamp: the libraries look at it."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)
