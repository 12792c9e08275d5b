"""A real Ray cluster of several nodes on this machine, the service deployed on it: nodes pinned, killed, added."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import uvloop

from loadtest.bench.ray.nodes import PROXY, RAY, REPLICA, Place, RayNode, environment, pinned, until
from loadtest.bench.venvs import ROOT, BenchError
from loadtest.client import Client, ClientError, Reply
from loadtest.seconds import GOOD

RUNNING = "RUNNING"
NOTHING: Mapping[str, Any] = MappingProxyType({})
TRIES = 3  # of a node's start: Ray gives its own processes half a minute, which a busy machine may need


class RayCluster:
    """A context manager: a node for each entry of `cores`, the first is the head; all ended outside.

    `ray`: variables of Ray's own. `settings`: those of the service on every node, named as in service.settings. Logs
    of nodes and replicas go to the folder `log`.

    Raises:
        BenchError: the cluster does not start, or does not do what it is asked.
    """

    def __init__(
        self,
        log: Path,
        cores: Sequence[tuple[int, ...]] = ((), ()),
        gpus: int = 0,
        ray: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        self.nodes: list[RayNode] = []
        self._log, self._cores, self._gpus, self._ray = log, tuple(cores), gpus, dict(ray or {})
        self._settings: dict[str, object] = {"device": "cpu", "drain_s": 0, **settings}
        self._driver: subprocess.Popen[str] | None = None
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        self._log.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="pray-"))  # short: Ray's sockets lie deep below it
        try:
            for cores in self._cores:
                self.add_node(cores)
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Ray's own: session_latest/logs/serve holds what proxies and replicas write."""
        return self._folder

    def add_node(self, cores: tuple[int, ...] = ()) -> RayNode:
        """Start one more node; the next deployment, or autoscaling, may use it."""
        head = self.nodes[0].address if self.nodes else ""
        log = self._log / f"node-{len(self.nodes)}.log"
        place = Place(self._folder, log, cores, head, self._gpus, self._ray, self._settings)
        for _ in range(TRIES):
            node = RayNode(place)
            if node.started():
                self.nodes.append(node)
                return node
            node.kill()
        raise BenchError(f"a Ray node does not start: see {log}")

    def replace_last(self) -> RayNode:
        """A new node for the last one, on the same cores, after that was killed."""
        self.nodes.pop().kill()
        return self.add_node(self._cores[len(self.nodes)])

    def deploy(
        self,
        replicas: int | None = 2,
        bundles: Mapping[str, Path] = NOTHING,
        scale: Mapping[str, object] = NOTHING,
    ) -> None:
        """Deploy as `serve deploy` does; back when all of it runs and answers.

        `replicas`: None leaves it to autoscaling. `bundles`: folders by slot, a change of which is an upgrade.
        `scale`: arguments of service.ray_serve.Scale, a change of which starts all replicas anew.

        Raises:
            BenchError: Ray says why not.
        """
        folders = {slot: str(folder) for slot, folder in bundles.items()}
        options: dict[str, Any] = {"name": "promise", "user_config": {"bundles": folders}}
        options |= {} if replicas is None else {"num_replicas": replicas, "autoscaling_config": None}
        deployed = {"import_path": "service.ray_serve:application", "args": dict(scale), "deployments": [options]}
        self._ask("deploy", application=deployed)
        urls = [url for node in self.nodes if node.alive and node.pids(REPLICA) for url in (node.proxy, node.door)]
        until(lambda: all(map(answers, urls)), "replicas to answer")

    def replicas(self) -> dict[str, int]:
        """How many replicas are in which state, as Ray says."""
        return dict(self._ask("look")["replicas"])

    def resources(self) -> dict[str, float]:
        """What no replica has taken."""
        return dict(self._ask("look")["resources"])

    def kill_node(self, number: int) -> None:
        """kill -9 everything of a node: Ray, its proxy, its replicas. Node 0 is the head, and the cluster with it."""
        self.nodes[number].kill()

    def kill_replica(self, number: int) -> list[int]:
        """kill -9 the replicas of a node; Ray starts others. The process ids that were."""
        return self.nodes[number].signal(signal.SIGKILL, REPLICA)

    def kill_proxy(self, number: int) -> list[int]:
        """kill -9 the proxy of a node; Ray starts another. The process ids that were."""
        return self.nodes[number].signal(signal.SIGKILL, PROXY)

    def close(self) -> None:
        """End everything, leave nothing behind but the logs."""
        if self._driver is not None:
            self._driver.kill()
            self._driver.communicate()
        for node in reversed(self.nodes):
            node.kill()
        with suppress(OSError):
            shutil.copytree(self._folder / "session_latest" / "logs" / "serve", self._log / "serve", dirs_exist_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _connect(self) -> None:
        head = self.nodes[0]
        own = {**self._settings, "host": "127.0.0.1"}
        command = [*environment({**RAY, **self._ray}, own), *pinned(self._cores[0]), sys.executable]
        with (self._log / "driver.log").open("a") as log:
            self._driver = subprocess.Popen(
                [*command, "-m", "loadtest.bench.ray.driver", head.address, str(head.proxy_port)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answer()

    def _ask(self, what: str, **given: object) -> dict[str, Any]:
        with self._asking:
            return self._asked(what, given)

    def _asked(self, what: str, given: Mapping[str, object]) -> dict[str, Any]:
        assert self._driver is not None
        assert self._driver.stdin is not None
        with suppress(BrokenPipeError):
            self._driver.stdin.write(json.dumps({"do": what, **given}) + "\n")
            self._driver.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._driver is not None
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        if not line:
            last = (self._log / "driver.log").read_text().strip().splitlines()[-1:]
            raise BenchError(f"the driver of the Ray cluster stopped: {''.join(last) or 'it said nothing'}")
        found: dict[str, Any] = json.loads(line)
        if found.get("error"):
            raise BenchError(f"Ray: {found['error']}")
        return found


def call(url: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One request on a connection of its own; raises ClientError where no reply comes."""

    async def asked() -> Reply:
        client = Client(url)
        try:
            return await client.call(method, path, body, headers)
        finally:
            client.close()

    return uvloop.run(asked())


def answers(url: str) -> bool:
    """Whether a replica behind this address would take traffic."""
    with suppress(ClientError):
        return call(url, "GET", "/health/ready").status == GOOD
    return False
