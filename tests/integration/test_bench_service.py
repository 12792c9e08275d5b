"""The benchmarks of the service from end to end at toy sizes, and what a person reads when one cannot run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench import machine
from loadtest.bench.cache import Plan as CachePlan
from loadtest.bench.cache import run_cache
from loadtest.bench.cache_hits import Traffic
from loadtest.bench.load_step import Plan as StepPlan
from loadtest.bench.load_step import run_load_step
from loadtest.bench.saturation import Plan as SaturationPlan
from loadtest.bench.saturation import run_saturation
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from tiny import Bundles

ROOT = Path(__file__).resolve().parents[2]


def promise(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from service.cli import main; main()"
    command = [sys.executable, "-c", program, "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_the_cache_program(bundles: "Bundles", capsys: pytest.CaptureFixture[str]) -> None:
    traffic = Traffic(users=30, visits=120, second=60, bought=0.2, cache_mb=1)
    plan = CachePlan(traffic, lengths=(3, 6), heavy_lengths=(6,), each=4)
    run_cache(bundles.inner, plan, heavy_bundle=bundles.cross, json_output=True)
    out, err = capsys.readouterr()
    found = json.loads(out)
    for shares in found["shipped"]["hits"].values():
        assert sum(shares.values()) == pytest.approx(1)
    first, joined, alone = found["shipped"]["hits"].values()
    assert first["memory"] > 0 < joined["redis"]
    assert alone["redis"] == 0
    assert alone["miss"] > joined["miss"]
    assert found["shipped"]["stored"]["bytes"] > found["shipped"]["stored"]["value_bytes"] > 0
    assert list(found["shipped"]["lengths"]) == ["3", "6"]
    assert "Redis pays from" in err


def test_the_load_step_program(bundles: "Bundles", tmp_path: Path) -> None:
    figure = tmp_path / "figures" / "step.svg"
    plan = StepPlan(seconds=1.0, deadline_ms=1000, tier="k20", callers=4, users=50, factors=(0.3, 0.6, 0.3))
    found = run_load_step(bundles.inner, plan, figure=figure)
    assert [step["failed"] for step in found["steps"]] == [0, 0, 0]
    assert found["capacity"] > 0
    assert figure.read_text().startswith("<?xml")


def test_the_saturation_program(bundles: "Bundles", tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modes, factors = ("auto", "k20"), (0.25, 0.5)
    plan = SaturationPlan(0.6, 0.1, deadline_ms=2000, modes=modes, repeats=1, factors=factors, callers=2)
    found = run_saturation(bundles.inner, plan, figure=tmp_path / "saturation.svg", json_output=True)
    assert [(one["mode"], one["failed"]) for one in found["cells"][:2]] == [("auto", 0), ("k20", 0)]
    assert len(found["cells"]) == 4
    assert {row["mode"]: set(row["tiers"]) for row in found["rows"]}["k20"] == {"k20"}
    assert all(row["goodput"]["median"] > 0 for row in found["rows"])
    assert (tmp_path / "saturation.svg").exists()
    out, err = capsys.readouterr()
    assert json.loads(out)["capacity"] == found["capacity"]
    assert "auto / k20, goodput" in err


def test_a_callers_own_settings_do_not_reach_the_service(
    bundles: "Bundles", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMISE_BUNDLE", "/nowhere")
    monkeypatch.setenv("PROMISE_MAX_BODY_BYTES", "2048")
    with Service(tmp_path / "log", bundle=bundles.inner) as service:
        assert service.call("POST", "/recommend", {"history": ["i001"] * 1000}).status == 200


def test_a_service_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match=r"does not start: .*tier"),
        Service(tmp_path / "log", default_tier="no-tier"),
    ):
        pass
    with pytest.raises(BenchError, match=r"does not start: .*PROMISE_PORT"), Service(tmp_path / "log", port="http"):
        pass


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("faults", "--bundle", "/nowhere"), "/nowhere"),
        (("faults", "--rows", "melted"), "melted"),
        (("cache", "--bundle", "/nowhere", "--heavy", "/nowhere"), "/nowhere"),
        (("batching", "--rounds", "1"), "rounds"),
        (("load-step", "--seconds", "0"), "second"),
        (("reload", "--bundle", "/nowhere"), "/nowhere"),
        (("saturation", "--bundle", "/nowhere"), "/nowhere"),
        (("saturation", "--factors", "much"), "much"),
        (("locust", "--seconds", "0"), "a second"),
    ],
)
def test_what_forbids_a_benchmark_is_one_sentence(arguments: tuple[str, ...], named: str) -> None:
    done = promise(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_pinning_is_undone() -> None:
    before = machine.split_cores()
    with machine.pinned() as cores:
        assert cores == before
    assert machine.split_cores() == before
