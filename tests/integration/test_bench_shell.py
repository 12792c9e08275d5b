"""The benchmarks of the shell and of the start, at toy sizes."""

import json
from typing import TYPE_CHECKING

import pytest

from loadtest.bench import memory, shell
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from tiny import Bundles


def test_the_shell_program(bundles: "Bundles", capsys: pytest.CaptureFixture[str]) -> None:
    plan = shell.Plan(rounds=2, alone=12, together=24, callers=4, users=6, tier="k10", k=5)
    shell.run_shell(bundles.inner, plan, json_output=True)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert list(found["alone"]) == [shell.ENGINE, shell.BARE, shell.SERVICE, shell.BOTH]
    assert found["alone"][shell.ENGINE]["over_ms"]["max"] == 0
    assert all(side["p95_ms"]["median"] >= side["p50_ms"]["median"] > 0 for side in found["alone"].values())
    assert all(1 <= side["batch"] <= 4 and side["ratio"]["min"] > 0 for side in found["together"].values())
    assert "over the engine" in err


def test_the_start_program(bundles: "Bundles", capsys: pytest.CaptureFixture[str]) -> None:
    memory.run_start(bundles.inner, memory.Plan(starts=2, users=20, callers=2, tier="k10"))
    out, _ = capsys.readouterr()
    assert "ready" in out
    assert "a cached encoding takes" in out


@pytest.mark.parametrize("plan", [shell.Plan(rounds=1), shell.Plan(alone=10)])
def test_a_shell_benchmark_that_cannot_be_believed_does_not_run(bundles: "Bundles", plan: shell.Plan) -> None:
    with pytest.raises(BenchError, match="2 rounds"):
        shell.run_shell(bundles.inner, plan)


def test_one_start_is_no_benchmark(bundles: "Bundles") -> None:
    with pytest.raises(BenchError, match="2 starts"):
        memory.run_start(bundles.inner, memory.Plan(starts=1))
