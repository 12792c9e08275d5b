"""promtool accepts the configuration, the rules pass their own tests, every alert says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from promql import OPS, rules

PROMETHEUS = OPS / "prometheus"
ALERTS = [rule for rule in rules() if "alert" in rule]
RUNBOOK = (OPS / "RUNBOOK.md").read_text("utf-8")
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, check=False)


def anchors(markdown: str) -> set[str]:
    """Of its headings, as Git hosts make them."""
    titles = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@needs_promtool
@pytest.mark.parametrize(("what", "files"), [("config", "prometheus.yml"), ("rules", "rules/*.yml")])
def test_promtool_accepts(what: str, files: str) -> None:
    done = promtool("check", what, *sorted(PROMETHEUS.glob(files)))
    assert done.returncode == 0, done.stderr


@needs_promtool
@pytest.mark.parametrize("path", sorted(PROMETHEUS.glob("tests/*.yml")), ids=lambda path: path.stem)
def test_the_rules_pass_their_tests(path: Path) -> None:
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stderr + done.stdout


@needs_promtool
def test_a_rule_that_is_wrong_fails_its_tests(tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    wrong = tmp_path / "prometheus" / "rules" / "alerts.yml"
    wrong.write_text(wrong.read_text("utf-8").replace("ratio_rate5m > 0.01", "ratio_rate5m > 0.03"), "utf-8")
    done = promtool("test", "rules", tmp_path / "prometheus" / "tests" / "alerts.yml")
    assert done.returncode != 0
    assert "PromiseShedding" in done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tests = "".join(path.read_text("utf-8") for path in PROMETHEUS.glob("tests/*.yml"))
    assert not [rule["alert"] for rule in ALERTS if not re.search(rf"\b{rule['alert']}\b", tests)]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_how_bad_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    notes = rule["annotations"]
    assert notes["summary"]
    assert "$value" in notes["summary"] + notes["description"]
    path, _, anchor = notes["runbook_url"].partition("#")
    assert path.endswith("service/ops/RUNBOOK.md")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(RUNBOOK)


def test_the_runbook_has_no_section_without_an_alert() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(sections) == sorted(rule["alert"] for rule in ALERTS)


@pytest.mark.parametrize("name", [rule["alert"] for rule in ALERTS])
def test_every_section_has_its_three_parts(name: str) -> None:
    section = RUNBOOK.partition(f"### {name}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    assert re.findall(r"^\*\*(\w[\w ]*)\.\*\*", section, re.MULTILINE) == ["Meaning", "First look", "Mitigation"]


def test_the_objectives_are_numbers_in_one_place() -> None:
    records = [rule for rule in rules() if rule.get("record") == "slo:promise_objective:ratio"]
    assert {rule["labels"]["slo"]: rule["expr"] for rule in records} == {
        "availability": "vector(0.999)",
        "latency": "vector(0.99)",
    }


def test_the_scraped_job_is_the_one_that_rules_ask_for() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    assert [job["job_name"] for job in config["scrape_configs"]] == ["promise"]
    assert config["rule_files"] == ["rules/*.yml"]
