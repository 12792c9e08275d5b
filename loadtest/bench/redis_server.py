"""A real redis-server of one's own: started on a free port, stopped, killed, paused, restarted on the same port."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
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

    With `cluster` it is a cluster of one node that owns all slots.

    Raises:
        BenchError: there is no redis-server, or it does not start.
    """

    def __init__(self, password: str = "", cluster: bool = False) -> None:
        self.password, self.cluster = password, cluster
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="promise-redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "redis+cluster" if self.cluster else "redis"
        account = f":{self.password}@" if self.password else ""
        return f"{scheme}://{account}127.0.0.1:{self.port}"

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

    def pause(self) -> None:
        """SIGSTOP: connections are accepted by the kernel and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

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
        binary = shutil.which("redis-server")
        if binary is None:
            self._folder.cleanup()
            raise BenchError("there is no redis-server on this machine; Debian's package is called redis-server")
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder.name}
        if self.password:
            options["requirepass"] = self.password
        if self.cluster:
            Path(self._folder.name, "nodes.conf").unlink(missing_ok=True)
            options |= {"cluster-enabled": "yes", "cluster-port": free_port()}
        return [binary, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def _answers(self) -> bool:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up and self._process and self._process.poll() is None:
            try:
                return str(self.pid) in self.command("INFO", "server").decode()
            except RedisError:
                time.sleep(0.01)
        return False

    def _own_all_slots(self) -> None:
        self.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while b"cluster_state:ok" not in self.command("CLUSTER", "INFO"):
            time.sleep(0.01)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
