"""The runbook's commands name routes, settings and rows of the dashboard that exist."""

import json
import re
from pathlib import Path

from promql import OPS, panels
from typer.testing import CliRunner

from service.cli import app
from service.ops.dashboard import TARGET
from service.settings import Settings

RUNBOOK = (OPS / "RUNBOOK.md").read_text("utf-8")
OPENAPI = json.loads((Path(__file__).resolve().parents[3] / "contract" / "openapi.json").read_text("utf-8"))["paths"]


def fits(path: str, route: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", route), path))


def test_every_setting_exists() -> None:
    assert set(re.findall(r"PROMISE_(\w+)", RUNBOOK)) <= {name.upper() for name in Settings.model_fields}


def test_every_address_that_is_called_exists() -> None:
    lines = [line for line in re.split(r"[\n;`]", RUNBOOK) if line.strip().startswith("curl ")]
    assert len(lines) > 10
    for line in lines:
        method = (re.search(r"-X (\w+)", line) or ["", "GET"])[1].lower()
        (path,) = re.findall(r"\$HOST(/\S*)", line)
        assert [route for route, methods in OPENAPI.items() if fits(path, route) and method in methods], line
        assert ("Bearer $TOKEN" in line) == path.startswith("/admin"), line


def test_every_promise_command_parses() -> None:
    found = re.findall(r"`promise ([^`]+)`", RUNBOOK)
    assert found
    for command in found:
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0, command


def test_every_row_and_panel_that_is_named_exists() -> None:
    rows = {panel["title"] for panel in json.loads(TARGET.read_text("utf-8"))["panels"] if panel["type"] == "row"}
    named = set(re.findall(r"(?<![*\w])\*([A-Z][\w ]+)\*(?!\*)", RUNBOOK))
    assert named
    assert not {name for name in named if not any(row.startswith(name) for row in rows)}
    assert {"Shed and degraded", "p99 by bucket", "Serving"} <= {panel["title"] for panel in panels()}
