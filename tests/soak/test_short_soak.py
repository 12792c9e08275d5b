"""A soak of seconds on the shipped bundle: reloads and Redis killed under load, no call fails, nothing is left."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.bench.soak.plan import Plan
from loadtest.bench.soak.program import run_soak
from loadtest.bench.venvs import BenchError
from service.settings import SHIPPED_BUNDLE

PLAN = Plan(
    minutes=0.04,
    warm_minutes=0.0,
    every_s=0.1,
    look_s=0.2,
    users=50,
    fill=60,
    rude=5,
    cache_mb=1,
    capacity=80,
    changes=6,
    down_s=0.3,
)
FLAT = ("failed calls", "skipped arrivals", "unexpected errors in the service's log", "open files won")
CHANGES = {"reload": 2, "experiments file": 1, "retire items": 1, "Redis killed": 1, "rollback": 1}
LEFT = ("files and sockets won, load over", "connections kept, load over")


def test_nothing_fails_and_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_soak(SHIPPED_BUNDLE, PLAN, tmp_path, json_output=True)
    gates: dict[str, Any] = {gate["name"]: gate for gate in result["gates"]}
    assert [gates[name] for name in (*FLAT, *LEFT) if not gates[name]["kept"]] == [], result["faults"] | result["log"]
    assert result["changes"].items() >= CHANGES.items()
    assert result["answered"] > 50
    assert json.loads(capsys.readouterr().out)["gates"] == result["gates"]
    assert len((tmp_path / "samples.csv").read_text().splitlines()) > 8
    assert (tmp_path / "soak.svg").stat().st_size > 10_000


def test_a_soak_that_would_tell_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="eight samples"):
        run_soak(SHIPPED_BUNDLE, Plan(minutes=0.5), tmp_path)
