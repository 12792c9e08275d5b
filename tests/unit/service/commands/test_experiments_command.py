"""promise experiments …: a report from files, and mistakes as one sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.commands.experiments import app
from service.errors import PromiseError
from service.experiments.records import EVENTS
from service.settings import SHIPPED_BUNDLE

FILE = """
experiments:
  - name: budget
    buckets:
      - {name: control, weight: 0.5}
      - {name: "[deep]", weight: 0.5, tier: k100}
"""
UNITS = 600


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options for an experiment whose second bucket clicks twice as often, and a log that is being written."""
    lines = []
    for number in range(UNITS):
        bucket, tier = (("control", "k10"), ("deep", "k100"))[number % 2]
        common = {"time": 1.7e9 + number, "request_id": "r", "unit": f"{number:032x}", "tier": tier}
        exposure = common | {"type": "exposure", "experiment": "budget", "bucket": bucket, "degraded": False}
        lines.append(json.dumps(exposure))
        if number % 20 < (4 if bucket == "control" else 8):
            told = {"type": "feedback", "assignments": [["budget", bucket, "hash"]], "item_id": "i", "event": "click"}
            lines.append(json.dumps(common | told))
    (tmp_path / "experiments.yaml").write_text(FILE.replace('"[deep]"', "deep"))
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, "not an event", lines[0][:40]]))
    return ["--experiments", str(tmp_path / "experiments.yaml"), "--events", str(tmp_path / "events.jsonl")]


def output(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def sentence(*arguments: str) -> str:
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, PromiseError), error
    assert error.detail.count(".") >= 1
    assert "\n" not in error.detail
    return error.detail


def refused(*arguments: str) -> str:
    """What a check answers that was made and failed."""
    done = CliRunner().invoke(app, ["check", *arguments, "--json"])
    assert done.exit_code == 1, done.output
    detail: str = json.loads(done.stdout)["detail"]
    return detail


def test_the_report_as_json(files: list[str]) -> None:
    report = json.loads(output("report", "budget", *files, "--json"))
    assert [arm["units"] for arm in report["arms"]] == [UNITS // 2, UNITS // 2]
    assert [one["event"] for one in report["outcomes"]] == list(EVENTS)
    click = next(one for one in report["outcomes"] if one["event"] == "click")
    assert [rate["positive"] for rate in click["rates"]] == [60, 120]
    assert click["lifts"][0]["verdict"] == "higher"
    assert report["ignored"]["events_unreadable"] == 1, "the unfinished last line is none"


def test_the_report_as_tables(files: list[str]) -> None:
    text = output("report", "budget", *files)
    for piece in ("control", "deep", "k100 100%", "20.00%", "40.00%", "+20.00%", "higher", "no events"):
        assert piece in text
    assert "purchase" not in text


def test_one_event_type_only(files: list[str]) -> None:
    report = json.loads(output("report", "budget", *files, "--event", "cart", "--json"))
    assert [one["event"] for one in report["outcomes"]] == ["cart"]
    assert "No such feedback" in output("report", "budget", *files, "--event", "cart")


def test_the_plan_is_an_option(files: list[str]) -> None:
    assert json.loads(output("report", "budget", *files, "--expected-units", "600", "--json"))["expected_units"] == 600


def test_check_says_what_is_in_the_file(files: list[str]) -> None:
    text = output("check", files[1], "--bundle", str(SHIPPED_BUNDLE))
    assert "budget: control 0.5, deep 0.5" in text
    assert "in order" in text


def test_mistakes_are_one_sentence(files: list[str], tmp_path: Path) -> None:
    assert "'nothing'" in sentence("report", "nothing", *files)
    assert "'view'" in sentence("report", "budget", *files, "--event", "view")
    assert str(tmp_path) in sentence("report", "budget", *files[:2], "--events", str(tmp_path))
    assert "gone.yaml" in sentence("check", str(tmp_path / "gone.yaml"))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FILE)
    assert "deep" in refused(str(wrong))
    wrong.write_text(FILE.replace('"[deep]"', "deep").replace("k100", "k7"))
    assert "k7" in refused(str(wrong), "--bundle", str(SHIPPED_BUNDLE))
    assert CliRunner().invoke(app, ["check", str(wrong)]).exit_code == 0, "without bundles any tier may exist"
