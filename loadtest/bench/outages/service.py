"""Replicas of the real service that can be killed, paused and given less, and what starts the dead ones again."""

import contextlib
import resource
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.bench.service import Service

LOOK_S = 0.05
NO_LIMIT = resource.RLIM_INFINITY


class Replica(Service):
    """One process; `environment` is added to its own, as for a library that is loaded before all others."""

    def __init__(self, log: Path, cores: tuple[int, ...], environment: Mapping[str, str], **settings: object) -> None:
        super().__init__(log, cores, **settings)
        self._environment = dict(environment)
        self.starts = 0
        self.log = log

    def start(self) -> Self:
        """Start, or start anew on the same port; returns once it is ready."""
        self.starts += 1
        return self.__enter__()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def pause(self) -> None:
        """SIGSTOP: the kernel goes on accepting connections, nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.alive:
            self._process.send_signal(signal.SIGCONT)

    def limit_memory(self, spare_bytes: int) -> None:
        """From now on it gets so much more address space and no more; memory it asks for beyond that is refused."""
        used = next(line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if "VmSize" in line)
        resource.prlimit(self.pid, resource.RLIMIT_AS, (1024 * int(used.split()[1]) + spare_bytes, NO_LIMIT))

    def free_memory(self) -> None:
        if self.alive:
            resource.prlimit(self.pid, resource.RLIMIT_AS, (NO_LIMIT, NO_LIMIT))

    def end(self) -> None:
        self.resume()
        self.__exit__(None, None, None)

    def _command(self) -> list[str]:
        return ["env", *(f"{name}={value}" for name, value in self._environment.items()), *super()._command()]


class Supervisor:
    """Starts a replica that has ended, as whoever runs it would: a context manager with a thread of its own."""

    def __init__(self, replicas: Sequence[Replica], delay_s: float = 0.2) -> None:
        self.failed: list[str] = []
        self._replicas, self._delay_s = replicas, delay_s
        self._leaving = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(one,), daemon=True) for one in replicas]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float = 30.0) -> bool:
        """Until all replicas are ready again; whether they are."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if all(one.alive and _ready(one) for one in self._replicas):
                return True
            time.sleep(LOOK_S)
        return False

    def _watch(self, replica: Replica) -> None:
        while not self._leaving.wait(LOOK_S):
            if not replica.alive and not self._leaving.wait(self._delay_s):
                try:
                    replica.start()
                except Exception as error:  # told in the table; a thread's own trace would go unnoticed
                    self.failed.append(str(error))


def _ready(replica: Replica) -> bool:
    with contextlib.suppress(Exception):
        return replica.call("GET", "/health/ready").status == 200
    return False
