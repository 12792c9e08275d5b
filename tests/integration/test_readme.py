"""The README is true: its tables, targets, commands and file tree are those of the code."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from readme import README, ROOT, Block, blocks, section
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings

PAGE_LINES, TREE = 400, "Files"  # what comes before the tree reads in ten minutes


def listed() -> set[str]:
    """Paths of the file tree: two spaces a level, folders end in a slash."""
    paths, above = set(), list[str]()
    for line in "".join(block.text for block in blocks("text", TREE)).splitlines():
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


def links(text: str) -> list[str]:
    """Files of this repository that a page links to or shows."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"""(?:src|srcset)="([^"]+)\"""", text)
    return [target.partition("#")[0] for target in targets if not target.startswith(("http", "#"))]


def test_the_settings_table_is_the_settings() -> None:
    rows = re.findall(r"^\| `PROMISE_(\w+)` \| `?([^`|]*?)`? \|", section("Settings"), re.MULTILINE)
    assert dict(rows) == {name.upper(): as_text(field.default) for name, field in Settings.model_fields.items()}


def test_settings_named_anywhere_exist() -> None:
    named = set(re.findall(r"\bPROMISE_([A-Z_]*[A-Z])\b", README))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [command for block in blocks("sh") for command in block.commands]
    named = set(re.findall(r"\bmake ([a-z0-9-]+)\b", " ".join([*commands, *re.findall(r"`([^`\n]+)`", README)])))
    assert {"serve", "test", "train", "loadtest"} <= named <= targets


def test_every_promise_command_parses() -> None:
    fenced = [command for block in blocks("sh") for command in block.commands]
    inline = [text for text in re.findall(r"`([^`]+)`", README) if text.startswith("promise ")]
    lines = [re.sub(r"^(PROMISE_\w+=\S+ )+", "", line) for line in (*fenced, *inline)]
    commands = [shlex.split(line)[1:] for line in lines if re.match(r"(\.venv/bin/)?promise ", line)]
    assert len(commands) > 10
    for words in commands:
        parsed = CliRunner().invoke(app, [*words, "--help"])  # unknown commands and options fail before the help
        assert parsed.exit_code == 0, f"promise {shlex.join(words)}: {parsed.output}"


@pytest.mark.parametrize("block", [block for block in blocks("sh") if block.why], ids=lambda block: block.section)
def test_what_is_not_run_is_at_least_shell(block: Block) -> None:
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run([shell, "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_file_named_exists() -> None:
    assert listed()
    assert not [path for path in sorted(listed()) if not (ROOT / path).exists()]
    assert links(README)
    assert not [link for link in links(README) if not (ROOT / link).exists()]


def test_every_source_is_in_the_file_tree() -> None:
    shown = listed()
    sources = {
        path.relative_to(ROOT) for folder in ("service", "models", "loadtest") for path in (ROOT / folder).rglob("*.py")
    }
    sources |= {path.relative_to(ROOT) for path in (ROOT / "service/web").rglob("*.*")}
    sources = {path for path in sources if path.name != "__init__.py"}
    tests = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")}
    assert not sorted(path.as_posix() for path in sources if path.as_posix() not in shown)
    assert not sorted(path.as_posix() for path in tests if not {f"{p}/" for p in (path, *path.parents)} & shown)


def test_the_dashboard_and_the_alerts_are_as_many_as_it_says() -> None:
    text = " ".join(section("Operate").split())
    said = re.search(r"dashboard of (\d+) rows and (\d+) panels.* and (\d+) alerts", text)
    assert said
    dashboard = json.loads((ROOT / "service/ops/grafana/dashboards/promise.json").read_text("utf-8"))
    rows = [panel["type"] for panel in dashboard["panels"]].count("row")
    alerts = (ROOT / "service/ops/prometheus/rules/alerts.yml").read_text("utf-8").count("- alert:")
    assert [int(number) for number in said.groups()] == [rows, len(dashboard["panels"]) - rows, alerts]


def test_the_page_above_the_tree_is_short() -> None:
    unfolded = re.sub(r"<details>.*?</details>", "", README.partition(f"\n## {TREE}\n")[0], flags=re.DOTALL)
    assert len(unfolded.splitlines()) <= PAGE_LINES
