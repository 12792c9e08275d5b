"""A real redis-server of one's own: started on a free port, stopped, killed, paused, restarted on the same port."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import hiredis

from loadtest.bench.venvs import BenchError

START_S = 20.0
Command = tuple[str | int | float | bytes, ...]


class RedisError(Exception):
    """An error reply, or no reply at all."""


class RedisServer:
    """Debian's redis-server as a child process, without persistence; a context manager, open from `start` to `stop`.

    With `cluster` it is a cluster of one node that owns all slots. `options` are named as in redis.conf.

    Raises:
        BenchError: there is no redis-server, or it does not start.
    """

    def __init__(
        self, password: str = "", cluster: bool = False, options: Mapping[str, str | int] | None = None, port: int = 0
    ) -> None:
        self.password, self.cluster, self.options = password, cluster, dict(options or {})
        self.port = port or free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="promise-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def url(self) -> str:
        scheme = "redis+cluster" if self.cluster else "redis"
        account = f":{self.password}@" if self.password else ""
        return f"{scheme}://{account}127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Where it works; gone after `stop`."""
        return Path(self._folder.name)

    @property
    def alive(self) -> bool:
        """Is there a process that is not paused?"""
        return self._runs() and not self._paused

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until it answers; where another process took the port meanwhile, move to another."""
        for _ in range(5):
            self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._answers():
                if self.cluster:
                    self._own_all_slots()
                return self
            self.kill()
            self.port = free_port()
        raise BenchError("redis-server does not start")

    def stop(self) -> None:
        """End the process, as SIGTERM does, and remove its folder."""
        self.resume()
        self._end(signal.SIGTERM)
        self._folder.cleanup()

    def kill(self) -> None:
        """SIGKILL: connections are reset, later ones refused."""
        self._end(signal.SIGKILL)
        self._paused = False

    def pause(self) -> None:
        """SIGSTOP: connections are accepted by the kernel and nothing is answered."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        self._signal(signal.SIGCONT)
        self._paused = False

    def restart(self) -> None:
        """Kill and start anew, empty, on the same port."""
        port = self.port
        self.kill()
        self.start()
        if self.port != port:
            raise BenchError(f"port {port} was taken by another process while redis-server was down")

    def command(self, *parts: str | int | float | bytes) -> Any:
        """The reply to one command over a connection of its own; bytes stay bytes.

        Raises:
            RedisError: an error reply, or a connection that failed.
        """
        return self.commands([parts])[0]

    def commands(self, batch: list[Command]) -> list[Any]:
        """The same for a pipeline of commands."""
        greeting: list[Command] = [("AUTH", self.password)] if self.password else []
        replies = talk(self.port, [*greeting, *batch])
        return replies[len(greeting) :]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self) -> list[str]:
        options: dict[str, str | int] = {"port": self.port, "bind": "127.0.0.1", "dir": self._folder.name}
        options |= {"save": "", "appendonly": "no", "shutdown-timeout": 0}
        options |= {"repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
        if self.password:
            options |= {"requirepass": self.password, "masterauth": self.password}
        if self.cluster:
            (self.folder / "nodes.conf").unlink(missing_ok=True)
            options |= {"cluster-enabled": "yes", "cluster-port": free_port()}
        options |= self.options
        return [self._binary(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def _binary(self) -> str:
        found = shutil.which("redis-server")
        if found is None:
            self._folder.cleanup()
            raise BenchError("there is no redis-server on this machine; Debian's package is called redis-server")
        return found

    def _answers(self) -> bool:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up and self._runs():
            try:
                return str(self.pid) in self.command("INFO", "server").decode()
            except RedisError:
                time.sleep(0.01)
        return False

    def _own_all_slots(self) -> None:
        self.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while b"cluster_state:ok" not in self.command("CLUSTER", "INFO"):
            time.sleep(0.01)

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._runs():
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait()


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """All different: none is given back before all are found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def talk(port: int, batch: list[Command], timeout_s: float = 10) -> list[Any]:
    """Replies to a pipeline of commands.

    Raises:
        RedisError: an error reply, or a connection that failed.
    """
    reader, replies = hiredis.Reader(), list[Any]()
    packed = [hiredis.pack_command(cast(Any, parts)) for parts in batch]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(b"".join(packed))
            while len(replies) < len(batch):
                while (reply := reader.gets()) is False:
                    if not (data := connection.recv(1 << 16)):
                        raise RedisError("the connection was closed")
                    reader.feed(data)
                replies.append(reply)
    except OSError as error:
        raise RedisError(str(error)) from None
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise RedisError(str(reply))
    return replies
