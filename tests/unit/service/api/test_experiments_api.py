"""Buckets by hash and header, exposures and feedback, and the report over HTTP."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

CATALOGUE = made_catalogue()
HISTORY = list(CATALOGUE.ids[:5])
EXPERIMENTS = """
experiments:
  - name: width
    buckets: [{name: narrow, weight: 0.5, tier: k10}, {name: wide, weight: 0.5, tier: k100}]
  - name: rule
    coverage: 0.5
    layer: ranking
    range: [0.0, 0.5]
    buckets:
      - {name: mixed, weight: 0.5}
      - {name: reward, weight: 0.5, rule: {leaf: 0.0, prefix: 0.0}}
"""
TIERS = {"narrow": "k10", "wide": "k100"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "experiments.yaml"
    file.write_text(EXPERIMENTS)
    return file


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE), experiments=path, reload_s=0.1)) as opened:
        yield opened


def test_the_hash_decides_and_the_answer_says_so(client: Client) -> None:
    seen = set()
    for number in range(20):
        response = client.recommend(history=HISTORY, user_id=f"u{number}")
        body = response.json()
        experiment = body["experiment"]
        assert (experiment["name"], experiment["source"]) == ("width", "hash")
        assert (body["budget"]["tier"], body["budget"]["reason"]) == (TIERS[experiment["bucket"]], "bucket")
        assert response.headers["x-ab-bucket"] == experiment["bucket"]
        assert [one["name"] for one in body["experiments"]] == ["width", "rule"]
        seen.add(experiment["bucket"])
    assert seen == set(TIERS)


def test_the_header_wins_and_the_others_still_hash(client: Client) -> None:
    plain = client.recommend(history=HISTORY, user_id="u1").json()["experiments"][1]
    for header in ("wide", "width=wide", " width = wide "):
        response = client.recommend({"X-AB-Bucket": header}, history=HISTORY, user_id="u1")
        first, second = response.json()["experiments"]
        assert first == {"name": "width", "bucket": "wide", "source": "header"}
        assert second == plain
        assert response.headers["x-ab-bucket"] == "wide"
    both = client.recommend({"X-AB-Bucket": "width=narrow,rule=reward"}, history=HISTORY).json()
    assert [one["source"] for one in both["experiments"]] == ["header", "header"]


def test_an_anonymous_request_takes_no_part(client: Client) -> None:
    body = client.recommend(history=HISTORY).json()
    assert body["experiment"] == {"name": "width", "bucket": "default", "source": "default"}


def test_an_unknown_bucket_is_refused_before_the_body_is_read(client: Client) -> None:
    response = client.recommend({"X-AB-Bucket": "broad"}, history=HISTORY, k=0)
    assert "wide" in assert_problem(response, 400, "unknown-bucket")["detail"]
    assert response.headers["x-ab-bucket"] == "default"


def test_a_failure_still_belongs_to_its_bucket(client: Client) -> None:
    response = client.recommend({"X-AB-Bucket": "wide"}, history=HISTORY, budget="k51")
    assert (response.status_code, response.headers["x-ab-bucket"]) == (400, "wide")
    assert 'promise_requests_total{bucket="wide",status="400"} 1.0' in client.figures()


def test_the_header_can_have_another_name(path: Path) -> None:
    runtime = made_runtime(made_model(CATALOGUE), experiments=path, ab_header="X-Arm")
    with Client(runtime) as client:
        response = client.recommend({"X-Arm": "wide", "X-AB-Bucket": "nonsense"}, history=HISTORY)
        assert response.headers["x-arm"] == "wide"
        assert "x-ab-bucket" not in response.headers


def test_the_list_of_experiments(client: Client) -> None:
    body = client.call("GET", "/experiments").json()
    assert (body["header"], body["last_error"], len(body["digest"])) == ("X-AB-Bucket", None, 16)
    width, rule = body["experiments"]
    assert width["buckets"] == [
        {"name": "narrow", "weight": 0.5, "overrides": {"tier": "k10"}},
        {"name": "wide", "weight": 0.5, "overrides": {"tier": "k100"}},
    ]
    assert (rule["coverage"], rule["layer"], rule["layer_range"]) == (0.5, "ranking", [0.0, 0.5])
    assert rule["buckets"][1]["overrides"] == {"rule": {"leaf": 0.0, "prefix": 0.0}}


def test_a_bad_file_is_reported_and_the_old_one_stays(client: Client, path: Path) -> None:
    path.write_text("experiments: 7")
    before = client.call("GET", "/experiments").json()["experiments"]
    shown = _until(client, lambda body: body["last_error"] is not None)
    assert shown["experiments"] == before
    assert "promise_experiments_reload_ok 0.0" in client.figures()
    ready = client.call("GET", "/health/ready")
    assert (ready.status_code, ready.json()["checks"]["experiments"]["ok"]) == (200, True)
    path.write_text(EXPERIMENTS.replace("name: wide", "name: broad"))
    _until(client, lambda body: body["experiments"][0]["buckets"][1]["name"] == "broad")
    assert client.recommend({"X-AB-Bucket": "broad"}, history=HISTORY).status_code == 200


def test_feedback_counts_once_and_only_for_the_hash(client: Client) -> None:
    hashed = client.recommend(history=HISTORY, user_id="u1").json()
    forced = client.recommend({"X-AB-Bucket": "wide"}, history=HISTORY, user_id="u2").json()
    for body in (hashed, forced):
        feedback = {"feedback_token": body["feedback_token"], "item_id": "x", "event": "click"}
        answers = [client.call("POST", "/feedback", json=feedback) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202] * 3
        assert [answer.json()["counted"] for answer in answers] == [True, False, False]
    report = client.call("GET", "/experiments/width/report").json()
    assert sum(arm["units"] for arm in report["arms"]) == 1
    assert sum(arm["feedback"].get(TIERS[arm["bucket"]], 0) for arm in report["arms"]) == 1
    assert report["ignored"]["feedback_overridden"] == 1
    assert 'promise_feedback_total{bucket="wide",event="click"}' in client.figures()


def test_the_report_follows_the_events_and_sets_the_gauges(client: Client) -> None:
    for number in range(40):
        body = client.recommend(history=HISTORY, user_id=f"u{number}").json()
        if number % 2:
            feedback = {"feedback_token": body["feedback_token"], "item_id": "x", "event": "click"}
            client.call("POST", "/feedback", json=feedback)
    report = client.call("GET", "/experiments/width/report").json()
    assert (report["experiment"], report["control"]) == ("width", "narrow")
    assert sum(arm["units"] for arm in report["arms"]) == 40
    (clicks,) = (outcome for outcome in report["outcomes"] if outcome["event"] == "click")
    assert sum(rate["positive"] for rate in clicks["rates"]) == 20
    figures = client.figures()
    assert 'promise_experiment_srm_p{experiment="width"} ' in figures
    assert 'promise_experiment_lift{bound="estimate",bucket="wide",event="click"' in figures
    exposed = [float(line.split()[-1]) for line in figures.splitlines() if line.startswith("promise_exposures_total{")]
    assert sum(exposed) >= 40


def test_no_report_of_what_does_not_exist(client: Client) -> None:
    assert_problem(client.call("GET", "/experiments/nothing/report"), 404, "not-found")


def _until(client: Client, good: Any) -> dict[str, Any]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        body: dict[str, Any] = client.call("GET", "/experiments").json()
        if good(body):
            return body
        time.sleep(0.02)  # the loop runs on with the next call
    raise AssertionError("the file was not read again")
