"""Several redis-servers that stand in for each other: a primary with replicas, and sentinels that watch them."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from hashlib import sha1
from types import TracebackType
from typing import Self, TypeVar

from loadtest.bench.redis_server import RedisError, RedisServer, free_ports
from loadtest.bench.venvs import BenchError

WAIT_S = 60.0
SERVICE = "promise"
DOWN_MS = 500  # silence after which a primary counts as down
T = TypeVar("T")
Options = Mapping[str, str | int]


class ServerSet:
    """A context manager over servers that are started together; killed and paused ones end with it too."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.servers: list[RedisServer] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with self._open:
            self._start()
            self._open = self._open.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def account(self) -> str:
        return f":{self.password}@" if self.password else ""

    def kill_primary(self) -> RedisServer:
        """SIGKILL the primary, and wait for nothing; `restart` it later and it becomes a replica."""
        primary = self.primary
        primary.kill()
        return primary

    @property
    def primary(self) -> RedisServer:
        """The living server that takes writes.

        Raises:
            BenchError: at the moment none does.
        """
        raise NotImplementedError

    def _start(self) -> None:
        raise NotImplementedError

    def _begin(self, server: RedisServer) -> None:
        port = server.port
        server.start()
        self._open.callback(server.stop)
        if server.port != port:
            raise BenchError(f"port {port} was taken by another process before redis-server had it")


class SentinelSet(ServerSet):
    """A primary, `replicas` of it, and `sentinels` of which most must agree that it is down."""

    def __init__(
        self,
        replicas: int = 2,
        sentinels: int = 3,
        password: str = "",
        sentinel_password: str = "",
        options: Options | None = None,
    ) -> None:
        super().__init__(password)
        ports = free_ports(1 + replicas + sentinels)
        first = ports[0]
        self.servers = [RedisServer(password, options=dict(options or {}), port=port) for port in ports[: replicas + 1]]
        for replica in self.servers[1:]:
            replica.options["replicaof"] = f"127.0.0.1 {first}"
        known = ports[1 : replicas + 1]
        watchers = ports[replicas + 1 :]
        lines = [f"sentinel auth-pass {SERVICE} {password}"] if password else []
        lines += [f"sentinel known-replica {SERVICE} 127.0.0.1 {replica}" for replica in known]
        self.sentinels = [SentinelServer(port, first, watchers, lines, sentinel_password) for port in watchers]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{self.account}{hosts}/{SERVICE}"

    @property
    def primary(self) -> RedisServer:
        named = [sentinel.named() for sentinel in self.sentinels if sentinel.alive]
        for server in self.servers:
            if 2 * named.count(server.port) > len(self.sentinels) and server.alive and is_primary(server):
                return server
        raise BenchError("no server is the primary of most sentinels")

    def wait_failed_over(self, seconds: float = WAIT_S) -> RedisServer:
        """Until the sentinels agree on a living primary that can be written to; that one."""
        return until(lambda: self.primary, seconds)

    def wait_replicated(self, seconds: float = WAIT_S) -> None:
        """Until every living replica has all that the primary has."""

        def look() -> None:
            replicated(self.primary, [one for one in self.servers if one.alive])

        until(look, seconds)

    def _start(self) -> None:
        for server in (*self.servers, *self.sentinels):
            self._begin(server)
        self.wait_failed_over()
        self.wait_replicated()
        until(lambda: hold(all(sentinel.usable() for sentinel in self.sentinels)), WAIT_S)


class SentinelServer(RedisServer):
    """One sentinel that knows the primary, its replicas and the other sentinels from the start."""

    def __init__(self, port: int, primary: int, sentinels: list[int], lines: list[str], password: str) -> None:
        super().__init__(password, port=port)
        own = [f"port {port}", "bind 127.0.0.1", f"dir {self.folder}", f"sentinel myid {name_of(port)}"]
        own += [f"requirepass {password}", f"sentinel sentinel-pass {password}"] if password else []
        own += [f"sentinel monitor {SERVICE} 127.0.0.1 {primary} {len(sentinels) // 2 + 1}"]
        own += [f"sentinel down-after-milliseconds {SERVICE} {DOWN_MS}", f"sentinel failover-timeout {SERVICE} 4000"]
        others = [f"{other} {name_of(other)}" for other in sentinels if other != port]
        own += [f"sentinel known-sentinel {SERVICE} 127.0.0.1 {other}" for other in others]
        self._file = self.folder / "sentinel.conf"  # which it rewrites itself from here on
        self._file.write_text("\n".join([*own, *lines, ""]))

    def named(self) -> int:
        """The port of the primary that it names."""
        address = self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(address[1]) if address else 0

    def usable(self) -> bool:
        """Can it agree with others on a failover now?"""
        return bool(self.command("SENTINEL", "CKQUORUM", SERVICE).startswith(b"OK"))

    def _command(self) -> list[str]:
        return [self._binary(), str(self._file), "--sentinel"]


def name_of(port: int) -> str:
    """A name as nodes and sentinels have them: forty hexadecimal digits."""
    return sha1(b"%d" % port, usedforsecurity=False).hexdigest()


def is_primary(server: RedisServer) -> bool:
    return bool(server.command("ROLE")[0] == b"master")


def replicated(primary: RedisServer, servers: list[RedisServer]) -> None:
    """Raises BenchError unless all replicas among the servers are where the primary is."""
    offset = primary.command("ROLE")[1]
    for server in servers:
        if server is not primary:
            role = server.command("ROLE")
            hold(role[0] == b"slave" and role[3] == b"connected" and role[4] >= offset)
    hold(len(primary.command("ROLE")[2]) == len(servers) - 1)


def hold(condition: bool) -> None:
    """Not yet, unless it holds."""
    if not condition:
        raise BenchError("not yet")


def until(look: Callable[[], T], seconds: float) -> T:
    """What `look` finds once it raises neither BenchError nor RedisError."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return look()
        except (BenchError, RedisError) as error:
            if time.monotonic() > give_up:
                raise BenchError(f"the servers do not agree after {seconds:g} s: {error}") from None
        time.sleep(0.02)
