"""POST /recommend/batch: what each entry would have got alone, in order."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from expected_problem import assert_document, assert_problem
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

CATALOGUE = made_catalogue()
HISTORIES = [list(CATALOGUE.ids[at : at + 5]) for at in range(0, 40, 5)]
EXPERIMENTS = """
experiments:
  - name: width
    buckets: [{name: narrow, weight: 0.5, tier: k10}, {name: wide, weight: 0.5, tier: k100}]
"""


@pytest.fixture(scope="module")
def log() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def client(log: StringIO, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path: Path = tmp_path_factory.mktemp("batch") / "experiments.yaml"
    path.write_text(EXPERIMENTS)
    with Client(made_runtime(made_model(CATALOGUE), log, experiments=path, max_concurrent=40)) as opened:
        yield opened


def crowd(number: int) -> dict[str, Any]:
    return {"history": HISTORIES[number], "k": 4, "user_id": f"u{number}"}


def test_every_entry_is_answered_as_if_it_came_alone(client: Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"history": history, "k": 4, "user_id": f"u{n}"} for n, history in enumerate(HISTORIES)
    ]
    results = client.call("POST", "/recommend/batch", json=bodies).json()
    for body, result in zip(bodies, results, strict=True):
        alone = client.recommend(**body).json()
        response = result["response"]
        assert list(result) == ["response"]
        assert set(response) == set(alone)
        assert response["experiment"] == alone["experiment"]
        assert response["budget"] == alone["budget"]
        assert [item["item_id"] for item in response["items"]] == [item["item_id"] for item in alone["items"]]
    assert {result["response"]["experiment"]["bucket"] for result in results} == {"narrow", "wide"}


def test_wrong_entries_harm_nobody_else(client: Client) -> None:
    good = {"history": HISTORIES[0]}
    wrong = [{"k": 0}, 7, None, [], {"budget": "k51"}, {"filter": {"brand": "x"}}, {"history": [""]}]
    results = client.call("POST", "/recommend/batch", json=[good, *wrong, good]).json()
    assert [list(result) for result in results] == [["response"], *[["problem"]] * len(wrong), ["response"]]
    problems = [result["problem"] for result in results[1:-1]]
    for problem in problems:
        assert_document(problem)
    assert [problem["status"] for problem in problems] == [422, 422, 422, 422, 400, 400, 422]
    assert problems[-1]["detail"].startswith("history.0: ")


def test_every_entry_has_an_id_of_its_own(client: Client) -> None:
    response = client.call("POST", "/recommend/batch", json=[{}, {"k": 0}, {}], headers={"X-Request-ID": "b"})
    ids = [(result.get("response") or result["problem"])["request_id"] for result in response.json()]
    assert ids == ["b.0", "b.1", "b.2"]


def test_the_header_holds_for_every_entry(client: Client) -> None:
    response = client.call("POST", "/recommend/batch", json=[{"user_id": "a"}, {}], headers={"X-AB-Bucket": "wide"})
    found = [result["response"]["experiment"] for result in response.json()]
    assert found == [{"name": "width", "bucket": "wide", "source": "header"}] * 2
    assert response.headers["x-ab-bucket"] == "wide"


def test_of_more_entries_than_places_some_are_told_to_come_back(client: Client) -> None:
    results = client.call("POST", "/recommend/batch", json=[{"history": HISTORIES[0]}] * 64).json()
    refused = [result["problem"] for result in results if "problem" in result]
    assert len(refused) == 24
    assert {problem["type"] for problem in refused} == {"/problems/overloaded"}


def test_sizes(client: Client) -> None:
    assert client.call("POST", "/recommend/batch", json=[]).json() == []
    assert_problem(client.call("POST", "/recommend/batch", json=[{}] * 65), 422, "invalid-request")
    assert_problem(client.call("POST", "/recommend/batch", json={"requests": []}), 422, "invalid-request")


def test_figures_count_the_request_once_and_every_entry(client: Client) -> None:
    before = _count(client, 'promise_request_duration_seconds_count{bucket="default",tier="none"}')
    requests = _count(client, 'promise_requests_total{bucket="default",status="200"}')
    client.call("POST", "/recommend/batch", json=[{}, {}, {"k": 0}])
    assert _count(client, 'promise_request_duration_seconds_count{bucket="default",tier="none"}') == before + 2
    assert _count(client, 'promise_requests_total{bucket="default",status="200"}') == requests + 1


def test_one_line_for_all_of_it(client: Client, log: StringIO) -> None:
    log.truncate(log.seek(0))
    client.call("POST", "/recommend/batch", json=[{"user_id": "somebody"}, {"k": 0}])
    (line,) = log.getvalue().splitlines()
    fields = json.loads(line)
    assert (fields["route"], fields["entries"], fields["failed"]) == ("/recommend/batch", 2, 1)
    assert "somebody" not in line


def _count(client: Client, series: str) -> float:
    lines = client.figures().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(series + " ")), 0.0)
