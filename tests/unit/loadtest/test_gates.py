"""Rows become scenarios, scenarios become verdicts: every gate says its value, and only what was measured passes."""

import json
from dataclasses import fields, replace

import pytest
from typer.testing import CliRunner

from loadtest.gates import Limits, Verdict, judge, table
from loadtest.rows import Row, named, percentile, split
from service.commands.bench import app

NONE = Limits(failures=None, shed=None, degraded=None, p95_ms=None, p99_ms=None)
FAST = {10: 88, 20: 10}
ROWS = (
    Row("/recommend cold", 98, 0, FAST),
    Row("/recommend cold (failed)", 2, 2, {1: 2}),
    Row("/recommend cold (shed)", 5, 0, {1: 5}),
    Row("/recommend hurried", 90, 0, {100: 90}),
    Row("/recommend hurried (degraded)", 10, 0, {200: 10}),
    Row("/recommend/batch", 10, 0, {900: 10}),
)


def test_a_scenario_is_all_of_its_rows() -> None:
    cold, hurried, batch = judge(ROWS, Limits()).scenarios
    assert (cold.name, cold.requests, cold.failed, cold.shed, cold.degraded) == ("/recommend cold", 105, 2, 5, 0)
    assert (cold.p50_ms, cold.p99_ms) == (10, 20), "neither a refusal nor a failure is a fast answer"
    assert (hurried.degraded, hurried.p95_ms) == (10, 200)
    assert batch.p50_ms == 900


def test_batches_are_counted_for_failures_alone() -> None:
    verdict = judge(ROWS, replace(NONE, failures=0.01, p99_ms=500))
    failed, p99 = verdict.gates
    assert failed.value == pytest.approx(2 / 215)
    assert p99.value == 200
    assert verdict.passed


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (replace(NONE, failures=0.005), "failed requests"),
        (replace(NONE, shed=0.01), "refused requests"),
        (replace(NONE, degraded=0.01), "degraded answers"),
        (replace(NONE, p50_ms=9), "p50"),
        (replace(NONE, p95_ms=90), "p95"),
        (replace(NONE, p99_ms=150), "p99"),
        (replace(NONE, p95_of={"cold": 10}), "p95 of cold"),
        (replace(NONE, p95_of={"nobody": 1e9}), "p95 of nobody"),
    ],
)
def test_a_broken_gate_is_named(limits: Limits, name: str) -> None:
    verdict = judge(ROWS, limits)
    assert [gate.name for gate in verdict.gates if not gate.passed] == [name]
    assert (verdict.passed, verdict.exit_code) == (False, 1)
    assert f"Gate failed: {name}: " in table(verdict)


def test_late_answers_have_a_gate() -> None:
    rows = [Row("/recommend hurried (late)", 1, 0, {60: 1}), Row("/recommend hurried", 3, 0, {20: 3})]
    (_, gate) = judge(rows, replace(NONE, failures=1, late=0.2)).gates
    assert (gate.value, gate.passed) == (0.25, False)


def test_what_was_not_measured_passes_no_gate() -> None:
    verdict = judge([Row("/events", 3, 0, {1: 3})], replace(NONE, failures=1, p95_ms=1e9, shed=1))
    assert [gate.passed for gate in verdict.gates] == [True, True, False]
    assert "nothing was measured" in table(verdict)


@pytest.mark.parametrize(("rows", "raised"), [((), ()), (ROWS, ("KeyError",))])
def test_a_broken_load_test_is_no_failed_gate(rows: tuple[Row, ...], raised: tuple[str, ...]) -> None:
    verdict = judge(rows, NONE, raised)
    assert (verdict.passed, verdict.exit_code) == (False, 2)
    assert "Not to be believed" in table(verdict)


def test_a_verdict_is_plain_json() -> None:
    verdict: Verdict = judge(ROWS, replace(NONE, failures=1, p95_ms=90))
    plain = json.loads(json.dumps(verdict.plain()))
    assert (plain["passed"], plain["exit_code"]) == (False, 1)
    assert [gate["passed"] for gate in plain["gates"]] == [True, False]
    assert plain["total"]["requests"] == 205


def test_names_carry_what_became_of_a_request() -> None:
    assert split(named("/recommend cold", "shed")) == ("/recommend cold", "shed")
    assert split(named("/recommend cold", "answered")) == ("/recommend cold", "")
    assert split("/recommend odd (name)") == ("/recommend odd (name)", "")


def test_percentiles() -> None:
    times = {1: 50, 2: 45, 3: 5}
    assert [percentile(times, share) for share in (0.5, 0.95, 0.951, 1.0)] == [1, 2, 3, 3]
    assert percentile({}, 0.5) is None


def test_the_command_says_the_limits_it_has_unless_told() -> None:
    shown = " ".join(CliRunner().invoke(app, ["locust", "--help"], env={"COLUMNS": "200"}).stdout.split())
    for one in fields(Limits):
        if isinstance(one.default, float):
            option = f"--max-{one.name.replace('_', '-')} "
            assert f"{one.default:g} unless given" in shown.partition(option)[2].partition("--max")[0], option
