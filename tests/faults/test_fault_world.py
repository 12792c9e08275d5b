"""What the outage table takes away is really gone, and comes back."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from loadtest.bench.outages.world import HOST, Clock, Hole, Names, library
from loadtest.bench.venvs import BenchError

ECHO = b"a word"


def said(program: str, environment: Mapping[str, str]) -> str:
    named = [f"{name}={value}" for name, value in environment.items()]
    done = subprocess.run(["env", *named, sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_vanished_peer_neither_answers_nor_closes_nor_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Hole(server.getsockname()[1]) as hole:
        before = socket.create_connection(("127.0.0.1", hole.port), 5)
        there, _ = server.accept()
        with before, there:
            before.sendall(ECHO)
            assert there.recv(16) == ECHO
            hole.vanish()
            before.sendall(ECHO)
            for silent in (before, there):
                silent.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    silent.recv(16)
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", hole.port), 0.2)
            hole.come_back()
            with socket.create_connection(("127.0.0.1", hole.port), 5), server.accept()[0]:
                pass


@pytest.mark.faults
def test_a_name_is_gone_and_comes_back(tmp_path: Path) -> None:
    names, program = Names(tmp_path), f"import socket; print(socket.gethostbyname('{HOST}'))"
    assert said(program, names.environment) == "127.0.0.1"
    names.gone()
    with pytest.raises(subprocess.CalledProcessError):
        said(program, names.environment)
    names.known()
    assert said(program, names.environment) == "127.0.0.1"


@pytest.mark.faults
def test_the_wall_clock_jumps_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    clock, program = Clock(tmp_path), "import time; print(time.time() - time.monotonic())"
    usual = float(said(program, clock.environment))
    clock.jump(3600)
    assert float(said(program, clock.environment)) - usual == pytest.approx(3600, abs=30)
    clock.jump(-3600)
    assert float(said(program, clock.environment)) - usual == pytest.approx(-3600, abs=30)


def test_a_missing_library_is_told_with_its_package() -> None:
    with pytest.raises(BenchError, match="Debian's package is called libtea"):
        library("libteapot.so", "libtea")
