"""The real service as a child process: `python -m service` with settings of its own, on a free port, pinned."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop

from loadtest.bench import machine
from loadtest.bench.redis_server import free_port
from loadtest.bench.venvs import ROOT, BenchError
from loadtest.client import Client, ClientError, Reply
from service.settings import PREFIX, Settings

START_S = 180.0


class Service:
    """A context manager: started and ready inside, ended outside. `settings` are named as in service.settings.

    PROMISE_ variables of the caller's own environment do not reach it. The log goes to the file `log`.

    Raises:
        BenchError: the service does not start; the message is what it said last.
    """

    def __init__(self, log: Path, cores: tuple[int, ...] = (), **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log, self._cores = log, cores
        self._settings = {"host": "127.0.0.1", "port": self.port, "drain_s": 0, "device": "cpu", **settings}

    def __enter__(self) -> Self:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command(), cwd=ROOT, stdout=log, stderr=log)
        machine.pin(self._process.pid, self._cores)
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        return machine.cpu_s(self.pid)

    def memory_bytes(self) -> int:
        """Resident memory; 0 where the system does not tell."""
        status = Path(f"/proc/{self.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own; raises ClientError where no reply comes."""
        return uvloop.run(self._call(method, path, body, headers))

    def metrics(self) -> dict[str, float]:
        """The exposition: `name{labels}` as written there → value."""
        lines = self.call("GET", "/metrics").body.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def _call(self, method: str, path: str, body: Any, headers: dict[str, str] | None) -> Reply:
        client = Client(self.url)
        try:
            return await client.call(method, path, body, headers)
        finally:
            client.close()

    def _command(self) -> list[str]:
        """`env` sets and unsets the variables: only service.settings reads the environment, here too."""
        unset = [part for field in Settings.model_fields for part in ("-u", f"{PREFIX}{field.upper()}")]
        named = [f"{PREFIX}{field.upper()}={value}" for field, value in self._settings.items()]
        return ["env", *unset, *named, sys.executable, "-m", "service"]

    def _wait(self) -> None:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise BenchError(f"the service does not start: {self._said()}")
            try:
                if self.call("GET", "/health/ready").status == 200:
                    return
            except ClientError:
                time.sleep(0.05)
        raise BenchError(f"the service was not ready within {START_S:g} s: {self._said()}")

    def _said(self) -> str:
        lines = [line for line in self._log.read_text().splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"
