"""The console script as a person runs it: version, pipes, signals, the wrong Python, and a start by hand."""

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from service.settings import SHIPPED_BUNDLE

ROOT = Path(__file__).resolve().parents[2]

PROMISE = [str(Path(sys.executable).with_name("promise"))]
if not Path(PROMISE[0]).exists():  # tests of a folder that is not installed
    PROMISE = [sys.executable, "-c", "from service.cli import main; main()"]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not see 127.0.0.1


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMISE_")}
    return kept | variables


def test_the_version_is_one_line() -> None:
    done = subprocess.run([*PROMISE, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"promise \d+\.\d+\.\d+\S*\n", done.stdout)


def test_a_reader_that_leaves_is_met_with_silence() -> None:
    """The pipe is closed before anything is written."""
    there, here = os.pipe()
    os.close(there)
    for arguments in (["bundle", "describe"], ["--help"]):
        done = subprocess.run([*PROMISE, *arguments], stdout=here, stderr=subprocess.PIPE, text=True, check=False)
        assert done.stderr == "", arguments
    os.close(here)


def test_an_output_that_was_closed_before_the_start_is_no_error() -> None:
    command = " ".join(shlex.quote(word) for word in [*PROMISE, "bundle", "describe"])
    done = subprocess.run(["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("KeyboardInterrupt", 130, "Interrupted.\n"),
        ("ModuleNotFoundError(name='uvicorn')", 2, "This command needs the package uvicorn, which is not installed: "),
    ],
)
def test_a_start_that_ends_while_importing_is_one_sentence(tmp_path: Path, raised: str, code: int, said: str) -> None:
    (tmp_path / "uvicorn.py").write_text(f"raise {raised}\n")
    variables = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    done = subprocess.run([sys.executable, "-m", "service"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_what_is_piped_has_no_colours_and_whole_paths() -> None:
    done = subprocess.run([*PROMISE, "bundle", "describe"], capture_output=True, text=True, check=True)
    assert str(SHIPPED_BUNDLE) in done.stdout.splitlines()[0]
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout


def test_an_older_python_is_one_sentence() -> None:
    code = "import sys; sys.version_info = (3, 9, 18); import service"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Promise needs Python 3.11 or newer, and this is 3.9.\n"


def test_a_start_by_hand_says_where_and_a_ctrl_c_ends_it(tmp_path: Path) -> None:
    variables = environment(PROMISE_LOG_FORMAT="console", PROMISE_DRAIN_S="0", PROMISE_HOST="127.0.0.1")
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [*PROMISE, "serve", "--port", "0"]
        server = subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    with server.stderr as said:
        try:
            assert str(SHIPPED_BUNDLE) in said.readline()
            ready = said.readline()
            found = re.search(r"Open (http://127\.0\.0\.1:\d+/) – Ctrl-C stops it", ready)
            assert found, ready
            with DIRECT.open(f"{found[1]}health/ready", timeout=30) as answer:
                assert answer.status == 200
        finally:
            server.send_signal(signal.SIGINT)
        assert said.readline().startswith("Stopping")
        assert server.wait(60) == 0
    assert "Open http" not in log.read_text()
