"""What callers see of a good request: body, headers, metrics, log line, OpenAPI."""

import json
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

from service.api.schemas.answer import RecommendResponse

CATALOGUE = made_catalogue()
HISTORY = list(CATALOGUE.ids[:6])


@pytest.fixture(scope="module")
def log() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def client(log: StringIO) -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE), log)) as opened:
        yield opened


def test_the_whole_response(client: Client) -> None:
    response = client.recommend(history=[*HISTORY, "nobody"], k=4, budget="k20")
    body = response.json()
    assert response.status_code == 200
    assert set(body) == set(RecommendResponse.model_fields) - {"search", "checks"}
    assert [set(item) for item in body["items"]] == [{"item_id", "score", "log_prob", "reward", "sid"}] * 4
    for item in body["items"]:
        assert item["sid"] == CATALOGUE.sids[CATALOGUE.rows[item["item_id"]] - 1].tolist()
    assert body["budget"] == {
        "requested": "k20", "tier": "k20", "k_keep": 20, "k_plus": 80, "reason": "requested", "strategy": "guided"
    }  # fmt: skip
    assert body["experiment"] == {"name": "none", "bucket": "default", "source": "default"}
    assert body["experiments"] == []
    assert body["history"] == {"used": 6, "unknown": 1, "truncated": 0, "stored": False}
    assert body["model"] == {"name": "made", "version": "1"}
    assert (body["source"], body["degraded"]) == ("search", False)
    stages = body["timings_ms"]
    assert set(stages) - {"encode"} == {"queue", "cache", "expand", "prune", "items", "total"}
    assert stages["total"] >= stages["expand"] + stages["prune"]
    RecommendResponse.model_validate(body)


def test_a_proxys_zero_is_no_deadline(client: Client) -> None:
    assert client.recommend(history=HISTORY, headers={"x-envoy-expected-rq-timeout-ms": "0"}).json()["items"]


def test_headers_of_the_response(client: Client) -> None:
    response = client.recommend(history=HISTORY)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-ab-bucket"] == "default"
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert {"queue", "expand", "prune", "total"} <= {
        part.split(";")[0] for part in response.headers["server-timing"].split(", ")
    }


@pytest.mark.parametrize(
    ("given", "taken"), [("abc.DEF_1-2", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("é", False)]
)
def test_a_well_formed_request_id_is_kept_any_other_is_replaced(client: Client, given: str, taken: bool) -> None:
    response = client.call("GET", "/nowhere", headers={b"X-Request-ID": given.encode("latin-1")})
    assert (response.headers["x-request-id"] == given) == taken
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_explain_adds_the_search_and_the_path_of_every_item(client: Client) -> None:
    plain, explained = client.recommend(history=HISTORY), client.recommend(history=HISTORY, explain=True)
    body = explained.json()
    assert [item["item_id"] for item in body["items"]] == [item["item_id"] for item in plain.json()["items"]]
    assert [level["level"] for level in body["search"]["levels"]] == [1, 2, 3]
    assert {"expanded", "kept", "rescued", "entropy", "candidates"} <= set(body["search"]["levels"][0])
    for item in body["items"]:
        assert [step["sid"] for step in item["trace"]] == [item["sid"][:depth] for depth in (1, 2, 3)]
    RecommendResponse.model_validate(body)


def test_without_a_history_come_the_popular(client: Client) -> None:
    bodies: list[dict[str, Any]] = [{}, {"user_id": "u1"}, {"history": []}, {"history": ["nobody"]}, {"history": None}]
    for body in bodies:
        response = client.recommend(**body).json()
        assert (response["source"], response["history"]["used"], response["cache"]) == ("popularity", 0, "off")
        assert response["budget"]["tier"] == "none"
        assert len(response["items"]) == 10


def test_the_budget_takes_three_forms(client: Client) -> None:
    tiers = [
        client.recommend(history=HISTORY, budget=budget).json()["budget"]["tier"]
        for budget in ("auto", "exact", {}, {"tier": "k10"}, {"tier": "k10", "latency_ms": 500}, {"latency_ms": 500})
    ]
    assert tiers == ["k50", "exact", "k50", "k10", "k10", "k50"]


@pytest.mark.parametrize("k", [1, 10, 290])
def test_k_items_come_back_where_k_are_legal(client: Client, k: int) -> None:
    body = client.recommend(history=HISTORY, k=k, budget="k10").json()
    assert len(body["items"]) == k
    assert body["budget"]["k_keep"] >= k


def test_a_deadline_in_header_or_body_degrades_but_answers(client: Client) -> None:
    soon = "0.001"
    for options in (
        {"headers": {"X-Request-Timeout-Ms": soon}},
        {"headers": {"x-envoy-expected-rq-timeout-ms": soon}},
        {"budget": {"latency_ms": float(soon)}},
    ):
        while client.runtime.batcher.depth:  # what expired has yet to leave the queue
            time.sleep(0.001)
        body = client.recommend(history=HISTORY, **options).json()
        assert body["degraded"] is True
        assert len(body["items"]) == 10


def test_one_log_line_a_request_and_nothing_personal(client: Client, log: StringIO) -> None:
    log.truncate(log.seek(0))
    client.recommend(history=HISTORY, user_id="somebody", exclude=["B000000099"], headers={"X-Request-ID": "line-1"})
    client.call("GET", "/health/ready")
    client.call("GET", "/metrics")
    (line,) = log.getvalue().splitlines()
    fields = json.loads(line)
    assert (fields["event"], fields["request_id"], fields["route"]) == ("request", "line-1", "/recommend")
    assert (fields["status"], fields["tier"], fields["source"], fields["items"]) == (200, "k50", "search", 10)
    assert (fields["reason"], fields["bucket"], fields["model"], fields["batch"]) == ("best", "default", "made@1", 1)
    assert (fields["cache"], fields["degraded"]) in (("hit", None), ("miss", None))
    assert "somebody" not in line
    assert "B0000" not in line


def test_figures_follow_the_requests() -> None:
    with Client(made_runtime(made_model(CATALOGUE))) as client:
        for budget in ("k10", "k10", "exact"):
            client.recommend(history=HISTORY, budget=budget)
        client.recommend()
        client.recommend(k=0)
        client.call("GET", "/health/live")
        figures = set(client.figures().splitlines())
    assert figures >= {
        'promise_requests_total{bucket="default",status="200"} 4.0',
        'promise_requests_total{bucket="default",status="422"} 1.0',
        'promise_request_duration_seconds_count{bucket="default",tier="k10"} 2.0',
        'promise_request_duration_seconds_count{bucket="default",tier="none"} 1.0',
        'promise_stage_duration_seconds_count{stage="queue"} 3.0',
        'promise_stage_duration_seconds_count{stage="encode"} 1.0',
        'promise_stage_duration_seconds_count{stage="expand"} 2.0',
        'promise_cache_requests_total{result="hit",tier="memory"} 2.0',
        'promise_cache_requests_total{result="miss",tier="memory"} 1.0',
        'promise_budget_tier_total{bucket="default",reason="requested",tier="exact"} 1.0',
        'promise_budget_tier_total{bucket="default",reason="no_history",tier="none"} 1.0',
        'promise_beam_candidates_total{kind="expanded",level="1"} 16.0',
        'promise_level_entropy_count{level="3"} 2.0',
        "promise_batch_size_count 3.0",
        'promise_model_info{bundle="made",name="made",version="1"} 1.0',
        'promise_catalogue_items{bundle="made"} 300.0',
        "promise_queue_depth 0.0",
        "promise_requests_in_flight 0.0",
        "promise_experiments_reload_ok 1.0",
    }
    assert any(line.startswith('promise_prm_rescued_total{level="3"} ') for line in figures)


def test_health(client: Client) -> None:
    live, ready = client.call("GET", "/health/live"), client.call("GET", "/health/ready")
    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json()["checks"]["model"]["detail"] == "made@1 on FakeExecutionProvider"
    client.runtime.lifecycle.draining = True
    try:
        assert client.call("GET", "/health/ready").status_code == 503
        assert client.call("GET", "/health/live").status_code == 200
        assert client.recommend(history=HISTORY).headers["connection"] == "close"
    finally:
        client.runtime.lifecycle.draining = False
