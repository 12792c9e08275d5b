"""The README is true: its tables and file tree match the code, its curl works on the real service."""

import json
import math
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not see 127.0.0.1
START_S = 120  # a limit for a broken start, not an expectation


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def commands() -> list[str]:
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [line.split(" # ")[0].strip() for line in lines if line.strip()]


def listed() -> set[str]:
    """Paths of the file tree: two spaces a level, folders end in a slash."""
    paths, above = set(), list[str]()
    for line in "".join(blocks("text", section("Files"))).splitlines():
        name, level = line.split()[0], (len(line) - len(line.lstrip())) // 2
        above = [*above[:level], name]
        paths.add("".join(above))
    return paths


def as_text(default: Any) -> str:
    """A default as one would write it into the environment."""
    if isinstance(default, tuple):
        return ",".join(as_text(one) for one in default)
    if isinstance(default, Path):
        return default.relative_to(ROOT).as_posix()
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


def test_the_settings_table_is_the_settings() -> None:
    rows = re.findall(r"^\| `PROMISE_(\w+)` \| `?([^`|]*?)`? \|", section("Settings"), re.MULTILINE)
    assert dict(rows) == {name.upper(): as_text(field.default) for name, field in Settings.model_fields.items()}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z0-9-]+)\b", " ".join([*blocks("sh"), *re.findall(r"`([^`\n]+)`", README)])))
    assert {"serve", "test", "train"} <= named <= targets


def test_every_promise_command_parses() -> None:
    lines = [shlex.split(line) for line in commands() if line.startswith("promise ")]
    assert lines
    for words in lines:
        parsed = CliRunner().invoke(app, [*words[1:], "--help"])  # unknown commands and options fail before the help
        assert parsed.exit_code == 0, f"{shlex.join(words)}: {parsed.output}"


def test_every_file_named_exists() -> None:
    assert listed()
    assert not [path for path in sorted(listed()) if not (ROOT / path).exists()]
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_source_is_in_the_file_tree() -> None:
    shown = listed()
    sources = {
        p.relative_to(ROOT) for folder in ("service", "models", "loadtest") for p in (ROOT / folder).rglob("*.py")
    }
    sources = {path for path in sources if path.name != "__init__.py"}
    tests = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")}
    assert not sorted(path.as_posix() for path in sources if path.as_posix() not in shown)
    assert not sorted(path.as_posix() for path in tests if not {f"{p}/" for p in (path, *path.parents)} & shown)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service as `make serve` starts it, on a free port; its address."""
    if not (ROOT / "models/bundles/beauty/manifest.json").is_file():
        pytest.skip("this checkout ships no bundle in models/bundles/beauty")
    log = tmp_path_factory.mktemp("serve") / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PROMISE_")}
    chosen = {"PROMISE_HOST": "127.0.0.1", "PROMISE_PORT": str(port), "PROMISE_DRAIN_S": "0"}
    with log.open("w") as output:
        command = [sys.executable, "-m", "service"]
        process = subprocess.Popen(command, cwd=ROOT, env=inherited | chosen, stdout=output, stderr=output)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


def wait_until_ready(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            DIRECT.open(f"{base}/health/ready", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the service did not get ready:\n{log.read_text()}")


def curl(command: str, base: str) -> tuple[int, Any, dict[str, Any]]:
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
            data = next(words)
        elif word != "-s":
            assert word.startswith("localhost:8000/"), f"{word}: this test knows -s, -X, -H, -d and the default address"
            url = word.replace("localhost:8000", base)
    request = urllib.request.Request(url, data.encode() or None, headers, method=method)
    with DIRECT.open(request, timeout=30) as response:
        return response.status, json.loads(response.read() or b"null"), json.loads(data or "null")


def shape(value: Any, path: str = "") -> set[str]:
    """Every key of a JSON document, as a path; of a list, its first entry."""
    if isinstance(value, list):
        return shape(value[0], f"{path}[]") if value else {path}
    if isinstance(value, dict):
        return {path}.union(*(shape(inner, f"{path}.{key}") for key, inner in value.items()))
    return {path}


def curls(title: str) -> list[str]:
    """The curl commands of a section, on one line each."""
    text = "\n".join(blocks("sh", section(title))).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.startswith("curl ")]


def test_the_curl_returns_ten_new_items_with_rewards(server: str) -> None:
    (line,) = curls("One request")
    status, answer, sent = curl(line, server)
    items = [item["item_id"] for item in answer["items"]]
    assert status == 200
    assert len(items) == len(set(items)) == sent["k"] == 10
    assert not set(items) & set(sent["history"])
    assert answer["history"] == {"used": len(sent["history"]), "unknown": 0, "truncated": 0, "stored": False}
    assert all(math.isfinite(item["reward"]) for item in answer["items"])
    assert answer["experiment"].keys() == {"name", "bucket", "source"}
    assert answer["timings_ms"]


def test_the_curls_about_users_store_use_and_forget(server: str) -> None:
    append, recommend, forget = curls("Users and Redis")
    status, stored, _ = curl(append, server)
    assert (status, stored) == (200, {"accepted": 2, "duplicates": 0})
    _, answer, _ = curl(recommend, server)
    assert (answer["history"]["used"], answer["history"]["stored"]) == (2, True)
    assert curl(forget, server)[0] == 204
    assert curl(recommend, server)[1]["source"] == "popularity"


def test_the_response_shown_has_the_shape_of_a_real_one(server: str) -> None:
    shown = blocks("json", section("One request"))
    assert len(shown) == 1
    _, answer, _ = curl(curls("One request")[0], server)
    assert shape(json.loads(shown[0])) <= shape(answer)


def test_every_route_of_the_table_is_there(server: str) -> None:
    with DIRECT.open(f"{server}/openapi.json", timeout=30) as response:
        document = json.load(response)["paths"]
    known = {f"{method.upper()} {path}" for path, methods in document.items() for method in methods}
    known |= {"GET /metrics", "GET /docs"}
    shown = first_column(section("API"))
    ends = tuple(route.partition(" ")[2][:-1] or route[:-1] for route in shown if route.endswith("…"))
    assert ends == ("/v2/", "/admin/")
    left = {route for route in known if not route.partition(" ")[2].startswith((*ends, "/v2"))}
    assert left == {route for route in shown if not route.endswith("…")}
    for route in sorted(left):
        method, path = route.split(" ")
        if method == "GET" and "{" not in path:
            DIRECT.open(server + path, timeout=30).close()
