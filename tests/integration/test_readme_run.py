"""Every command of the README is typed, in order, into a copy of the repository; what it shows is what comes out."""

import json
import math
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from readme import ROOT, Block, blocks, section, shape

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not see 127.0.0.1
START_S = 120  # a limit for a broken start, not an expectation
ADDRESS = "localhost:8000"
SHORT = "--recipe smoke --epochs 1"  # every step of a training, and nothing learned
RUN = [block for block in blocks("sh") if not block.why]
SERVES = re.compile(r"((?:PROMISE_\w+=\S+ )*)(?P<command>(?:make|promise) serve.*)")


@dataclass
class Walk:
    """A person in a folder of their own, typing; the service they started last, and its last answer."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    base: str = ""
    own_bundle: bool = False
    token: str = ""
    answers: dict[str, Any] = field(default_factory=dict)

    def type(self, command: str) -> None:
        if started := SERVES.fullmatch(command):
            self.serve(dict(pair.split("=", 1) for pair in started[1].split()), started["command"])
        elif command.startswith("curl "):
            status, answer, _ = self.curl(command)
            assert 200 <= status < 300, answer
            self.answers[command] = answer
            self.token = (answer or {}).get("feedback_token", self.token)
        else:
            long = f"{command} {SHORT}" if command.startswith("promise train ") else command
            mine = self.own(PROMISE_PORT="0")  # any free one: somebody may be serving on the page's
            done = subprocess.run(
                long, shell=True, cwd=self.folder, env=mine, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def serve(self, settings: dict[str, str], command: str = "make serve") -> None:
        """On a free port, once the one before has ended."""
        self.stop()
        self.own_bundle = "PROMISE_BUNDLE" in settings or "--bundle" in command
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        chosen = {"PROMISE_HOST": "127.0.0.1", "PROMISE_PORT": str(port), "PROMISE_DRAIN_S": "0", **settings}
        log = self.folder / "log"
        with log.open("w") as output:
            self.process = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self.own(**chosen), stdout=output, stderr=output
            )
        self.base = f"127.0.0.1:{port}"
        wait_until_ready(self.base, self.process, log)

    def own(self, **more: str) -> dict[str, str]:
        """The environment of somebody whose `promise` is that of the folder."""
        return clean(PATH=f"{self.folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}", **more)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            finally:
                self.process.kill()

    def curl(self, command: str) -> tuple[int, Any, dict[str, Any]]:
        """What the command line would fetch: status, parsed body, and the JSON that was sent."""
        words = iter(shlex.split(command)[1:])
        headers, data, url, method = dict[str, str](), "", "", None
        for word in words:
            if word == "-X":
                method = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            elif word == "-d":
                data = next(words).replace("…", self.token)
            elif word != "-s":
                assert word.startswith(f"{ADDRESS}/"), f"{word}: this test knows -s, -X, -H, -d and the default address"
                url = word.replace(ADDRESS, f"http://{self.base}")
        request = urllib.request.Request(url, data.encode() or None, headers, method=method)
        with DIRECT.open(request, timeout=30) as response:
            return response.status, json.loads(response.read() or b"null"), json.loads(data or "null")


def clean(**more: str) -> dict[str, str]:
    """This environment without what an outer `make test` or somebody's settings would change."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PROMISE_", "MAKE"))}
    return {**kept, **more}


def wait_until_ready(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            DIRECT.open(f"http://{base}/health/ready", timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the service did not get ready:\n{log.read_text()}")


def installed(folder: Path) -> None:
    """`.venv` as the Makefile would leave it: this Python, the console script, the stamp that nothing is missing."""
    scripts = folder / ".venv/bin"
    scripts.mkdir(parents=True)
    for name, program in (("python", '"$@"'), ("promise", '-c "from service.cli import main; main()" "$@"')):
        (scripts / name).write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
        (scripts / name).chmod(0o755)
    planned = subprocess.run(
        ["make", "-n", "serve"], cwd=folder, env=clean(), capture_output=True, text=True, check=True
    )
    (stamp,) = re.findall(r"touch (\S+)", planned.stdout)
    (folder / stamp).touch()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The repository in a folder of one's own, with the files that the page tells of beside it."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    if not (ROOT / "models/bundles/beauty/manifest.json").is_file():
        pytest.skip("this checkout ships no bundle in models/bundles/beauty")
    folder = tmp_path_factory.mktemp("walk")
    for name in ("Makefile", "pyproject.toml", "service", "models", "loadtest"):
        (folder / name).symlink_to(ROOT / name)
    installed(folder)
    (experiments,) = blocks("yaml", "An A/B test")
    (folder / "experiments.yaml").write_text(experiments.text, "utf-8")
    shop(folder)
    walking = Walk(folder)
    yield walking
    walking.stop()


def shop(folder: Path) -> None:
    """Below the lines that the page shows of both tables, as much as a short training takes."""
    rows = [f"u{user},SKU-{(7 * user + 3 * n) % 60},{1707480262 + 1000 * n}" for user in range(40) for n in range(8)]
    items = [f"SKU-{number},Coffee > Cups,Fjord,Cup {number}" for number in range(60)]
    for block, more, name in zip(blocks("csv", "Your own data"), (rows, items), ("interactions", "items"), strict=True):
        (folder / f"shop.{name}.csv").write_text(block.text + "\n".join(more) + "\n", "utf-8")


@pytest.mark.parametrize("block", RUN, ids=[f"{at} {block.section}" for at, block in enumerate(RUN)])
def test_every_block_runs(walk: Walk, block: Block) -> None:
    assert block.commands
    for command in block.commands:
        walk.type(command)


@pytest.fixture
def server(walk: Walk) -> Walk:
    """The same, with a service on the shipped bundle."""
    if walk.process is None or walk.own_bundle:
        walk.serve({})
    return walk


def curls(title: str) -> list[str]:
    return [command for block in blocks("sh", title) for command in block.commands if command.startswith("curl ")]


def test_the_curl_returns_ten_new_items_with_rewards(server: Walk) -> None:
    (line,) = curls("One request")
    status, answer, sent = server.curl(line)
    items = [item["item_id"] for item in answer["items"]]
    assert status == 200
    assert len(items) == len(set(items)) == sent["k"] == 10
    assert not set(items) & set(sent["history"])
    assert answer["history"] == {"used": len(sent["history"]), "unknown": 0, "truncated": 0, "stored": False}
    assert all(math.isfinite(item["reward"]) for item in answer["items"])
    assert answer["experiment"].keys() == {"name", "bucket", "source"}
    assert answer["timings_ms"]


def test_the_curls_about_users_store_use_and_forget(server: Walk) -> None:
    append, recommend, forget, search, prefixes = curls("Users, Redis, catalogue")
    status, stored, _ = server.curl(append)
    assert (status, stored) == (200, {"accepted": 2, "duplicates": 0})
    _, answer, _ = server.curl(recommend)
    assert (answer["history"]["used"], answer["history"]["stored"]) == (2, True)
    assert server.curl(forget)[0] == 204
    assert server.curl(recommend)[1]["source"] == "popularity"
    assert len(server.curl(search)[1]["items"]) == 3
    assert [prefix["sid"] for prefix in server.curl(prefixes)[1]["prefixes"]] == [[121], [121, 118]]


@pytest.mark.parametrize("at", range(len(blocks("json"))))
def test_an_answer_shown_has_the_shape_of_a_real_one(server: Walk, at: int) -> None:
    shown = blocks("json")[at]
    before = blocks()[: blocks().index(shown)]
    command = [line for block in before for line in block.commands if line.startswith("curl ")][-1]
    real = server.answers.get(command) or server.curl(command)[1]
    assert shape(json.loads(shown.text)) <= shape(real)


def test_every_route_of_the_table_is_there(server: Walk) -> None:
    with DIRECT.open(f"http://{server.base}/openapi.json", timeout=30) as response:
        document = json.load(response)["paths"]
    known = {f"{method.upper()} {path}" for path, methods in document.items() for method in methods}
    known |= {"GET /metrics", "GET /docs", "GET /", "GET /status"}
    shown = re.findall(r"^\| `([^`]+)` \|", section("API"), re.MULTILINE)
    ends = tuple(route.partition(" ")[2][:-1] or route[:-1] for route in shown if route.endswith("…"))
    assert set(ends) == {"/v2/", "/admin/"}
    left = {route for route in known if not route.partition(" ")[2].startswith((*ends, "/v2"))}
    assert left == {route for route in shown if not route.endswith("…")}
    for route in sorted(left):
        method, path = route.split(" ")
        if method == "GET" and "{" not in path:
            DIRECT.open(f"http://{server.base}{path}", timeout=30).close()
