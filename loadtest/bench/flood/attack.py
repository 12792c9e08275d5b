"""An attack as a process of its own: python -m loadtest.bench.flood.attack NAME PORT CONNECTIONS WAIT_S SECONDS.

It is told the request it makes, if any, on standard input, waits, attacks, and ends with one JSON object.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from loadtest.bench.flood import crowd as flood_crowd
from loadtest.bench.flood import slow as flood_slow
from loadtest.bench.flood.slow import Told
from loadtest.bench.venvs import ROOT, BenchError

Attack = Callable[..., Coroutine[Any, Any, Told]]
SLOW: dict[str, Attack] = {"heads": flood_slow.heads, "bodies": flood_slow.bodies, "readers": flood_slow.readers}
ASKING: dict[str, Attack] = {"hot": flood_crowd.hot, "churn": flood_crowd.churn, "many": flood_crowd.many}
ALONE: dict[str, Attack] = {**SLOW, "large": flood_crowd.large}
REST_S = 60.0


class Running:
    """The attack, started; it waits `wait_s` and lasts `seconds`."""

    def __init__(self, name: str, port: int, connections: int, wait_s: float, seconds: float, request: bytes) -> None:
        given = (name, str(port), str(connections), str(wait_s), str(seconds))
        command = [sys.executable, "-m", "loadtest.bench.flood.attack", *given]
        self._patience_s = wait_s + seconds + REST_S
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None  # Popen was given PIPE
        self._process.stdin.write(request)
        self._process.stdin.close()
        self._process.stdin = None

    def told(self) -> dict[str, int]:
        """What came of it, once it is over.

        Raises:
            BenchError: it broke, or does not end.
        """
        try:
            out, _ = self._process.communicate(timeout=self._patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchError("an attack does not end") from None
        if self._process.returncode:
            raise BenchError("an attack broke; its last words stand above")
        return dict(json.loads(out))

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


async def _run(name: str, port: int, connections: int, seconds: float, request: bytes) -> Told:
    if name in ALONE:
        return await ALONE[name](port, connections, seconds)
    return await ASKING[name](port, connections, seconds, request)


if __name__ == "__main__":
    import time

    said = sys.stdin.buffer.read()
    time.sleep(float(sys.argv[4]))
    found = uvloop.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[5]), said))
    print(json.dumps(found))
