"""The redis-server of a soak: what it accepted outlives kill -9, on a port that no outgoing connection may take."""

import contextlib
import random
import socket
import time

from loadtest.bench.redis_server import RedisServer

PORTS = (20_000, 30_000)  # below those that the kernel lends to outgoing connections


class DurableRedis(RedisServer):
    """A redis-server with an append-only file. While it is down nobody else can get its port by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.port = _free(PORTS)

    def crash(self, down_s: float) -> None:
        """SIGKILL, a pause, and back with everything it had accepted."""
        self.kill()
        time.sleep(down_s)
        self.restart()

    def _command(self) -> list[str]:
        return [*super()._command(), "--appendonly", "yes", "--appendfsync", "everysec"]


def _free(ports: tuple[int, int]) -> int:
    for port in random.sample(range(*ports), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
