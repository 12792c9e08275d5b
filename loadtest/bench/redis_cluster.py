"""A cluster of six redis-servers that stand in for each other by pairs."""

from loadtest.bench.redis_server import RedisServer, free_ports
from loadtest.bench.redis_sets import WAIT_S, Options, ServerSet, hold, is_primary, name_of, replicated, until
from loadtest.bench.venvs import BenchError

SLOTS = 16384


class ClusterSet(ServerSet):
    """Three primaries, each with a replica; the slots are theirs by thirds."""

    def __init__(self, password: str = "", options: Options | None = None, timeout_ms: int = 1000) -> None:
        super().__init__(password)
        ports = free_ports(12)
        for port, bus in zip(ports[:6], ports[6:], strict=True):
            own: dict[str, str | int] = {"cluster-enabled": "yes", "cluster-port": bus}
            own |= {"cluster-node-timeout": timeout_ms, "cluster-replica-validity-factor": 0, **(options or {})}
            self.servers.append(RedisServer(password, options=own, port=port))
        for server in self.servers:
            (server.folder / "nodes.conf").write_text(self._layout(server))

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{self.account}{hosts}"

    @property
    def primary(self) -> RedisServer:
        """That of the probe of the service; `primary_of` tells others."""
        return self.primary_of("promise:probe")

    def primary_of(self, key: str | bytes) -> RedisServer:
        """The living primary of this key's slot.

        Raises:
            BenchError: it has none, or not everybody who lives knows it.
        """
        found = {self._owner(server, key) for server in self.servers if server.alive}
        owner = next((server for server in self.servers if found == {server.port}), None)
        if owner is None or not owner.alive:
            raise BenchError(f"the slot of {key!r} has no primary that all know")
        return owner

    def wait_failed_over(self, seconds: float = WAIT_S) -> RedisServer:
        """Until all living nodes say that every slot is served, by the living; the primary of the probe."""
        return until(self._whole, seconds)

    def wait_replicated(self, seconds: float = WAIT_S) -> None:
        """Until every living replica has all that its primary has."""

        def look() -> None:
            for server in self.servers:
                if server.alive and is_primary(server):
                    replicated(server, self._behind(server))

        until(look, seconds)

    def _start(self) -> None:
        for server in self.servers:
            self._begin(server)
        self.wait_failed_over()
        self.wait_replicated()

    def _whole(self) -> RedisServer:
        living = {server.port for server in self.servers if server.alive}
        for server in self.servers:
            if server.alive:
                state, slots = server.commands([("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")])
                hold(b"cluster_state:ok" in state and {part[2][1] for part in slots} <= living)
        return self.primary

    def _behind(self, primary: RedisServer) -> list[RedisServer]:
        """The primary and its replicas that live."""
        shards = primary.command("CLUSTER", "SLOTS")
        ports = [node[1] for part in shards for node in part[2:] if part[2][1] == primary.port]
        return [server for server in self.servers if server.alive and server.port in ports]

    def _owner(self, server: RedisServer, key: str | bytes) -> int:
        slot, slots = server.commands([("CLUSTER", "KEYSLOT", key), ("CLUSTER", "SLOTS")])
        return next((int(part[2][1]) for part in slots if part[0] <= slot <= part[1]), 0)

    def _layout(self, own: RedisServer) -> str:
        """A nodes.conf in which everybody has met already."""
        lines = []
        for at, server in enumerate(self.servers):
            part = at % 3
            slots = f"{part * SLOTS // 3}-{(part + 1) * SLOTS // 3 - 1}" if at < 3 else ""
            role = "master -" if at < 3 else f"slave {name_of(self.servers[part].port)}"
            role = f"myself,{role}" if server is own else role
            address = f"127.0.0.1:{server.port}@{server.options['cluster-port']}"
            lines.append(f"{name_of(server.port)} {address} {role} 0 0 {part + 1} connected {slots}".rstrip())
        return "\n".join([*lines, "vars currentEpoch 3 lastVoteEpoch 0", ""])
