"""The scripts and files of service/ops/kubernetes/redis, with real servers: three pods as three loopback addresses."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis_server import free_ports

from service.cache.redis import connect
from service.cache.remote import RemoteError

KUBERNETES = Path(__file__).resolve().parents[2] / "service" / "ops" / "kubernetes"
FOLDER = KUBERNETES / "redis"
URL = re.compile(r"value: (rediss\+sentinel://\S+)")
FILES = ("redis.conf", "sentinel.conf", "redis.sh", "sentinel.sh", "primary.sh")
PASSWORD = "0123456789abcdef"
PATIENCE_S = 40.0
pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not (shutil.which("redis-server") and shutil.which("openssl")), reason="no redis or openssl"),
]


class Pod:
    """Both containers of one pod. In its files names are addresses and folders its own; nothing else is changed."""

    def __init__(self, folder: Path, number: int, ports: list[int], certificate: Path) -> None:
        self.number, self.ports = number, ports
        self.name, self.folder = f"127.0.3.{number + 1}", folder / str(number)
        self.processes: list[subprocess.Popen[bytes]] = []
        for inner in ("conf", "data", "run/redis"):
            (self.folder / inner).mkdir(parents=True)
        for name in FILES:
            text = (FOLDER / name).read_text("utf-8")
            for other in range(3):
                text = text.replace(f"promise-redis-{other}.promise-redis", f"127.0.3.{other + 1}")
            text = text.replace("$HOSTNAME.promise-redis", self.name).replace("*promise-redis*", "*127.0.3.*")
            text = text.replace("26379", str(ports[1])).replace("6379", str(ports[0]))
            for inner in ("/conf/", "/run/redis"):
                text = text.replace(inner, f"{self.folder}{inner}")
            text = text.replace("/tls/", f"{certificate}/").replace("/data", f"{self.folder}/data")
            bind = f"\nbind {self.name}\n" if name.endswith(".conf") else ""
            (self.folder / "conf" / name).write_text(text + bind, "utf-8")

    def start(self) -> None:
        known = os.environ | {"HOSTNAME": self.name, "REDIS_PASSWORD": PASSWORD, "REDISCLI_AUTH": PASSWORD}
        for script in ("redis.sh", "sentinel.sh"):
            with (self.folder / f"{script}.log").open("ab") as log:
                command = ["sh", str(self.folder / "conf" / script)]
                self.processes.append(subprocess.Popen(command, env=known, stdout=log, stderr=log))

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        for process in self.processes:
            process.send_signal(how)
        for process in self.processes:
            process.wait(timeout=20)
        self.processes = []


class Pods:
    def __init__(self, folder: Path, certificate: Path) -> None:
        self.certificate = certificate
        ports = free_ports(2)
        self.all = [Pod(folder, number, ports, certificate) for number in range(3)]

    def ask(self, pod: Pod, *command: str, sentinel: bool = False) -> str:
        port = str(pod.ports[1 if sentinel else 0])
        known = os.environ | {"REDISCLI_AUTH": PASSWORD}
        cli = ["redis-cli", "--tls", "--cacert", f"{self.certificate}/ca.crt", "-h", pod.name, "-p", port]
        done = subprocess.run([*cli, *command], env=known, capture_output=True, text=True, check=False, timeout=20)
        return done.stdout.strip()

    def through_the_service(self, *command: str) -> bytes | None:
        """The reply to the service's own client, at the address that the Deployment gives it; None if none came."""
        found = URL.search((KUBERNETES / "service" / "deployment.yaml").read_text("utf-8"))
        assert found is not None
        url = found[1].replace("$(REDIS_PASSWORD)", PASSWORD).replace("26379", str(self.all[0].ports[1]))
        for pod in self.all:
            url = url.replace(f"promise-redis-{pod.number}.promise-redis", pod.name)
        return asyncio.run(asked(url.replace("/etc/promise/redis", str(self.certificate)), command))

    def primary(self) -> Pod | None:
        """What every Sentinel that answers says, where that pod itself agrees."""
        command = ("sentinel", "get-master-addr-by-name", "promise")
        said = {self.ask(pod, *command, sentinel=True).partition("\n")[0] for pod in self.all if pod.processes}
        named = [pod for pod in self.all if said == {pod.name} and pod.processes]
        return next((pod for pod in named if self.ask(pod, "role").startswith("master")), None)

    def whole(self, replicas: int) -> bool:
        primary = self.primary()
        return primary is not None and f"connected_slaves:{replicas}" in self.ask(primary, "info", "replication")

    def knowing(self) -> bool:
        """Does every Sentinel know of the two others? Before that there is no majority to name another primary."""
        command = ("sentinel", "master", "promise")
        replies = [self.ask(pod, *command, sentinel=True).splitlines() for pod in self.all]
        others = [dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies]
        return all(one.get("num-other-sentinels") == "2" and one.get("num-slaves") == "2" for one in others)


async def asked(url: str, command: tuple[str, ...]) -> bytes | None:
    remote = connect(url, 2.0)
    try:
        reply: bytes | None = await remote.execute(*command)
        return reply
    except RemoteError:
        return None
    finally:
        await remote.close()


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    certificate = tmp_path / "tls"
    certificate.mkdir()
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=promise-redis"]
    names = ",".join(f"IP:127.0.3.{number + 1}" for number in range(3))
    files = ["-keyout", f"{certificate}/tls.key", "-out", f"{certificate}/tls.crt"]
    subprocess.run([*make, "-addext", f"subjectAltName={names}", *files], check=True, capture_output=True)
    shutil.copy(certificate / "tls.crt", certificate / "ca.crt")
    made = Pods(tmp_path, certificate)
    try:
        for pod in made.all:
            pod.start()
        until(lambda: made.whole(2) and made.knowing(), "three pods find each other")
        yield made
    finally:
        for pod in made.all:
            pod.end()


def test_another_primary_takes_over_and_stays_it_when_all_start_anew(pods: Pods) -> None:
    first = pods.primary()
    assert first is pods.all[0], "nobody knows better at the very first start"
    until(lambda: pods.through_the_service("SET", "kept", "1") == b"OK", "the service finds the primary")
    assert pods.ask(first, "config", "get", "maxmemory-policy").splitlines()[1] == "noeviction"

    first.end()
    until(lambda: pods.primary() not in (None, first), "a majority names another primary")
    second = pods.primary()
    assert second is not None
    until(lambda: pods.through_the_service("GET", "kept") == b"1", "the service finds the new primary")
    first.start()
    until(lambda: pods.whole(2), "the old primary comes back as a replica")
    assert pods.ask(first, "role").startswith("slave")
    assert pods.ask(second, "set", "later", "2") == "OK"

    for pod in pods.all:
        pod.end(signal.SIGTERM)
    for pod in pods.all:
        pod.start()
    until(lambda: pods.whole(2), "all three find each other again")
    assert pods.primary() is second, "what Sentinel knew is on the volume"
    assert pods.ask(second, "get", "later") == "2"


def test_a_primary_that_no_replica_hears_accepts_nothing_and_strangers_are_refused(pods: Pods) -> None:
    first = pods.all[0]
    for pod in pods.all[1:]:
        pod.end()
    until(lambda: "NOREPLICAS" in pods.ask(first, "set", "lost", "1"), "writes are refused")
    assert pods.ask(first, "get", "lost") == ""
    cli = ["redis-cli", "--tls", "--cacert", f"{pods.certificate}/ca.crt", "-h", first.name, "-p"]
    for port, command in zip(first.ports, (("get", "kept"), ("sentinel", "failover", "promise")), strict=True):
        stranger = subprocess.run([*cli, str(port), *command], capture_output=True, text=True, check=False, timeout=20)
        assert "NOAUTH" in stranger.stdout + stranger.stderr
    plain = ["redis-cli", "-h", first.name, "-p", str(first.ports[0]), "-a", PASSWORD, "get", "kept"]
    assert subprocess.run(plain, capture_output=True, check=False, timeout=20).returncode != 0, "not without TLS"
