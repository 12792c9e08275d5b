"""A worker process of the benchmark: started, asked one round at a time over pipes, stopped."""

import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from loadtest.bench.venvs import ROOT, BenchError

_ROUND_TIMEOUT_S = 900.0


class Worker:
    """One side of the benchmark. Between two rounds it sleeps on its standard input and uses no CPU."""

    def __init__(self, name: str, command: Sequence[str], log: Path, timeout_s: float = _ROUND_TIMEOUT_S) -> None:
        self.name = name
        self._command, self._log, self._timeout_s = list(command), log, timeout_s
        self.ready: dict[str, Any] = {}
        self.share = 1.0

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self.ready = self._answer()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()

    def ask(self, number: int, requests: Sequence[int]) -> list[int]:
        """Nanoseconds of every request of round `number`; then `share` says for how much of it the worker had its core.

        Raises:
            BenchError: the worker stopped, hung, answered another round, or returned a list it found invalid.
        """
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write(json.dumps({"round": number, "requests": list(requests)}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._stopped() from None
        answer = self._answer()
        if answer.get("error"):
            raise BenchError(f"the {self.name} worker returned an invalid list: {answer['error']}")
        times = answer.get("ns", [])
        if answer.get("round") != number or len(times) != len(requests):
            raise BenchError(f"the {self.name} worker did not answer round {number}: {answer}")
        self.share = answer.get("cpu_ns", sum(times)) / max(1, sum(times))
        return [int(nanoseconds) for nanoseconds in times]

    def _answer(self) -> dict[str, Any]:
        timer = threading.Timer(self._timeout_s, self._process.kill)
        timer.start()
        try:
            line = self._pipe(self._process.stdout).readline()
        finally:
            timer.cancel()
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._stopped(line) from None
        if not isinstance(answer, dict):
            raise self._stopped(line)
        return answer

    def _stopped(self, line: str = "") -> BenchError:
        said = [text for text in [*self._log.read_text().splitlines(), line] if text.strip()]
        return BenchError(f"the {self.name} worker stopped: {said[-1].strip() if said else 'it said nothing'}")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None  # Popen was given PIPE for both
        return pipe
