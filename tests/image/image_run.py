"""Running a built image as a container runtime would: a root that is read-only, a PID namespace, no privileges.

The network is the host's: the service takes a free port instead.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis_server import free_port

DEVICES = "null zero full random urandom"
# $1 root, $2 device files to pretend, then the command line as `chroot` takes it
ENTER = f"""
set -e; root=$1; pretended=$2; shift 2
mount --bind "$root" "$root"; mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/tmp"; mount -t tmpfs tmpfs "$root/dev"
for name in {DEVICES}; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
for name in $pretended; do touch "$root/dev/$name"; done
exec setpriv --no-new-privs chroot "$@"
"""


class Container:
    """A context manager: started inside, killed outside. `settings` are named as in service.settings."""

    def __init__(self, root: Path, config: dict[str, Any], log: Path, pretended: str = "", **settings: object) -> None:
        self.root, self.config, self.log, self.port = root, config, log, free_port()
        self._pretended = pretended
        ours = {"host": "127.0.0.1", "port": self.port, **settings}
        self._environment = [*config["Env"], *(f"PROMISE_{name.upper()}={value}" for name, value in ours.items())]
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._apart(self.config["Cmd"]), stdout=log, stderr=log)
        while not self._children():
            assert self.process.poll() is None, self.log.read_text("utf-8")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:  # not its parent: a process that changed its user outlives that
            for pid in self._children():
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait(timeout=30)

    def once(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A container for this command alone, until it ends."""
        return subprocess.run(self._apart(list(command)), capture_output=True, text=True, check=False, timeout=300)

    def _apart(self, command: list[str]) -> list[str]:
        apart = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh"]
        return [*apart, str(self.root), self._pretended, *self._inside(command)]

    def _inside(self, command: list[str]) -> list[str]:
        place = f"--chdir={self.config['WorkingDir'] or '/'}"
        return [f"--userspec={self.config['User']}", str(self.root), "env", "-i", place, *self._environment, *command]

    @property
    def pid(self) -> int:
        """Of its first process, as the host numbers it."""
        return int(self._children()[0])

    def _children(self) -> list[str]:
        outside = self.process.pid
        return Path(f"/proc/{outside}/task/{outside}/children").read_text().split()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """One more command in there, as the same user."""
        there = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "setpriv", "--no-new-privs", "chroot"]
        return subprocess.run(
            [*there, *self._inside(list(command))], capture_output=True, text=True, check=False, timeout=120
        )

    def healthy(self) -> bool:
        """What the image's own health check says."""
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command).returncode == 0

    def wait(self, limit_s: float = 120) -> float:
        """Seconds from now until it is healthy."""
        started = time.monotonic()
        while time.monotonic() - started < limit_s:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            if self.healthy():
                return time.monotonic() - started
            time.sleep(0.1)
        raise AssertionError(f"not healthy after {limit_s} s: {self.log.read_text('utf-8')}")

    def call(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body; a body given is sent as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def ended(self, limit_s: float) -> int:
        """The exit code, within the limit."""
        return self.process.wait(timeout=limit_s)
