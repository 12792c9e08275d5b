"""Where an outage happens: replicas of the service over one store, and around them what can be taken away."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from loadtest.bench import machine
from loadtest.bench.outages.load import Answering
from loadtest.bench.outages.policy import READS, Policy
from loadtest.bench.outages.service import Replica, Supervisor
from loadtest.bench.outages.world import HOST, Clock, Disk, Hole, Names
from loadtest.bench.redis_cluster import ClusterSet
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.redis_sets import SentinelSet, ServerSet
from loadtest.bench.venvs import BenchError
from loadtest.client import Reply

TOKEN, SECRET = "outage-admin-token", "outage-feedback-secret"
KEPT = {"appendonly": "yes", "appendfsync": "always"}  # what is answered is on the disk, also when killed
Store = Literal["one", "sentinel", "cluster"]


@dataclass(frozen=True)
class Needs:
    """What the rows of a stage want of it; `|` gives what two want together."""

    replicas: int = 2
    store: Store = "one"
    clock: bool = False
    names: bool = False
    hole: bool = False
    disk: Literal["", "logs", "redis"] = ""  # what lies on a small disk of its own
    ray: bool = False  # a Ray cluster of two nodes in the replicas' place
    most_rate: float = float("inf")  # requests a second that what is left can carry
    bundle: str = ""  # a kind of service bundle made for the row (loadtest.bench.outages.bundles)
    settings: tuple[tuple[str, object], ...] = ()

    def __or__(self, other: "Needs") -> "Needs":
        plain = Needs()
        chosen = {
            one.name: getattr(other, one.name)
            if getattr(other, one.name) != getattr(plain, one.name)
            else getattr(self, one.name)
            for one in fields(self)
        }
        return replace(self, **chosen | {"settings": (*self.settings, *other.settings)})


@dataclass
class Stage:
    """Open parts. `said`: what acts found, for the table; `broken`: what they found to be otherwise than promised."""

    folder: Path
    bundle: Path
    replicas: list[Replica]
    supervisor: Supervisor
    redis: RedisServer
    sets: ServerSet | None = None
    clock: Clock | None = None
    names: Names | None = None
    hole: Hole | None = None
    disk: Disk | None = None
    said: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    reads: Policy = READS  # of those who ask for lists
    doors: Sequence[Answering] = ()  # where others than the replicas themselves are asked

    @property
    def fronts(self) -> Sequence[Answering]:
        return self.doors or self.replicas

    @property
    def urls(self) -> list[str]:
        return [front.url for front in self.fronts]

    @property
    def living(self) -> Answering:
        """One that can be asked; raises BenchError where there is none."""
        for front in self.fronts:
            if front.alive:
                return front
        raise BenchError("none of the replicas can be asked")

    def admin(self, replica: Answering, method: str, path: str, body: Any = None) -> Reply:
        return replica.call(method, f"/admin{path}", body, {"Authorization": f"Bearer {TOKEN}"})

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken.append(otherwise)


Act = Callable[[Stage], None]


def detail(reply: Reply) -> str:
    """The sentence of a problem, or the start of whatever came."""
    try:
        return str(reply.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return reply.body.decode(errors="replace")[:200]


@contextmanager
def staged(
    needs: Needs, bundle: Path, folder: Path, cores: machine.Cores, base: Mapping[str, object]
) -> Iterator[Stage]:
    """Everything started and ready.

    Raises:
        BenchError: a part does not start, or this machine cannot do what the row needs.
    """
    folder.mkdir(parents=True)
    with ExitStack() as opened:
        clock = Clock(folder) if needs.clock else None
        names = Names(folder) if needs.names else None
        disk = opened.enter_context(Disk()) if needs.disk else None
        environment = {**(clock.environment if clock else {}), **(names.environment if names else {})}
        sets, redis, url = _store(needs, opened, disk if needs.disk == "redis" else None)
        for server in sets.servers if sets else [redis]:
            machine.pin(server.pid, cores.driver)
        hole = opened.enter_context(Hole(redis.port)) if needs.hole else None
        if needs.store == "one":
            url = f"redis://{HOST if names else '127.0.0.1'}:{hole.port if hole else redis.port}"
        shared = {**base, "redis_url": url, "admin_token": TOKEN, "feedback_secret": SECRET, "bundle": bundle.resolve()}
        replicas: list[Replica] = []
        for number in range(needs.replicas):
            logs = disk.path if disk and needs.disk == "logs" else folder
            own = {"event_log": logs / f"events-{number}.jsonl"} if needs.disk == "logs" else {}
            settings = {**shared, **own, **dict(needs.settings)}
            replicas.append(Replica(logs / f"replica-{number}.log", cores.service, environment, **settings))
            opened.callback(replicas[-1].end)
            replicas[-1].start()
        supervisor = opened.enter_context(Supervisor(replicas))
        stage = Stage(folder, bundle, replicas, supervisor, redis, sets, clock, names, hole, disk)
        yield stage
        stage.broken += supervisor.failed


def _store(needs: Needs, opened: ExitStack, disk: Disk | None) -> tuple[ServerSet | None, RedisServer, str]:
    if needs.store != "one":
        made: ServerSet = SentinelSet() if needs.store == "sentinel" else ClusterSet()
        opened.enter_context(made)
        return made, made.servers[0], str(getattr(made, "url"))  # noqa: B009 - both kinds have one, the base has not
    options: dict[str, str | int] = {**KEPT, **({"dir": str(disk.path)} if disk else {})}
    redis = RedisServer(options=options)
    opened.callback(redis.stop)
    redis.start()
    return None, redis, redis.url


def reload(stage: Stage, replica: Answering, path: Path | None = None) -> Reply:
    """Ask a replica to serve the bundle of a folder, or its own anew."""
    slot = json.loads(stage.admin(replica, "GET", "/bundles").body)[0]["slot"]
    body = None if path is None else {"path": str(path)}
    return stage.admin(replica, "POST", f"/bundles/{slot}/reload", body)
