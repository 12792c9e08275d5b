"""Malformed requests to every route but POST /recommend: a 4xx problem, or the protocol's own error, never a 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from expected_problem import assert_document, assert_problem
from fake_service import Client, made_runtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TOKEN = "a-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
EVENT = {"user_id": "u", "item_id": "i"}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(admin_token=TOKEN)) as opened:
        yield opened


EVENTS: dict[str, tuple[Any, str]] = {
    "no list": ({}, "events"),
    "a list alone": ([EVENT], "body"),
    "a string": ({"events": "x"}, "events"),
    "too many": ({"events": [EVENT] * 1001}, "events"),
    "no item": ({"events": [{"user_id": "u"}]}, "events.0.item_id"),
    "an empty user": ({"events": [EVENT | {"user_id": ""}]}, "events.0.user_id"),
    "a user of null": ({"events": [EVENT, EVENT | {"user_id": None}]}, "events.1.user_id"),
    "an endless item": ({"events": [EVENT | {"item_id": "x" * 257}]}, "events.0.item_id"),
    "an unknown field": ({"events": [EVENT | {"rating": 5}]}, "events.0.rating"),
    "a timestamp in words": ({"events": [EVENT | {"timestamp": "2026-11-21"}]}, "events.0.timestamp"),
    "a boolean timestamp": ({"events": [EVENT | {"timestamp": True}]}, "events.0.timestamp"),
    "before the epoch": ({"events": [EVENT | {"timestamp": -1}]}, "events.0.timestamp"),
    "milliseconds": ({"events": [EVENT | {"timestamp": 1763730000000}]}, "events.0.timestamp"),
}

FEEDBACK: dict[str, tuple[Any, int, str]] = {
    "nothing": ({}, 422, "invalid-request"),
    "no token": ({"item_id": "i", "event": "click"}, 422, "invalid-request"),
    "an empty token": ({"feedback_token": "", "item_id": "i", "event": "click"}, 422, "invalid-request"),
    "an endless token": ({"feedback_token": "x" * 20_000, "item_id": "i", "event": "click"}, 422, "invalid-request"),
    "an unknown event": ({"feedback_token": "x.y", "item_id": "i", "event": "like"}, 422, "invalid-request"),
    "no token at all": ({"feedback_token": "x", "item_id": "i", "event": "click"}, 400, "invalid-feedback-token"),
    "a forged token": ({"feedback_token": "e30.e30", "item_id": "i", "event": "click"}, 400, "invalid-feedback-token"),
    "not ASCII": ({"feedback_token": "é.é", "item_id": "i", "event": "click"}, 400, "invalid-feedback-token"),
}

CATALOGUES: dict[str, tuple[Any, str]] = {
    "retire a string": ({"retire": "x"}, "retire"),
    "an item without id": ({"add": [{"like": "x"}]}, "add.0.item_id"),
    "a negative code": ({"add": [{"item_id": "x", "sid": [-1]}]}, "add.0.sid.0"),
    "a code of text": ({"add": [{"item_id": "x", "sid": ["1"]}]}, "add.0.sid.0"),
    "no codes": ({"add": [{"item_id": "x", "sid": []}]}, "add.0.sid"),
    "a negative popularity": ({"popularity": {"x": -1}}, "popularity.x"),
    "a popularity of text": ({"popularity": {"x": "many"}}, "popularity.x"),
    "a popularity too large": ({"popularity": {"x": 2**31}}, "popularity.x"),
    "an unknown field": ({"remove": ["x"]}, "remove"),
}

PATHS = [
    "/etc/passwd",
    "/etc",
    "/",
    "../..",
    ".",
    "models/bundles/../../service",
    "models/bundles/beauty/../../../service",
    "/no/such/folder",
    "a\x00b",
    "x" * 4000,
]


@pytest.mark.parametrize("name", EVENTS)
def test_wrong_events(client: Client, name: str) -> None:
    body, field = EVENTS[name]
    problem = assert_problem(client.call("POST", "/events", json=body), 422, "invalid-request")
    assert problem["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize("name", FEEDBACK)
def test_wrong_feedback(client: Client, name: str) -> None:
    body, status, slug = FEEDBACK[name]
    assert_problem(client.call("POST", "/feedback", json=body), status, slug)


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_wrong_catalogue_change(client: Client, name: str) -> None:
    body, field = CATALOGUES[name]
    response = client.call("POST", "/admin/bundles/made/catalogue", json=body, headers=ADMIN)
    assert assert_problem(response, 422, "invalid-request")["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize("path", PATHS)
def test_a_folder_out_of_bounds_is_not_read(client: Client, path: str) -> None:
    response = client.call("POST", "/admin/bundles/made/reload", json={"path": path}, headers=ADMIN)
    assert_problem(response, 422, "invalid-request")


@pytest.mark.parametrize("route", ["/events", "/feedback", "/recommend/batch", "/admin/bundles/made/catalogue"])
def test_a_body_must_be_json_and_say_so(client: Client, route: str) -> None:
    for content, headers, status, slug in (
        (b"{", JSON, 400, "malformed-body"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b"", JSON, 422, "invalid-request"),
        (b" " * (2 << 20), JSON, 413, "body-too-large"),
    ):
        assert_problem(client.call("POST", route, content=content, headers=headers | ADMIN), status, slug)


def test_a_user_to_forget_has_an_id(client: Client) -> None:
    assert_problem(client.call("DELETE", "/users/"), 422, "invalid-request")
    assert_problem(client.call("DELETE", "/users/" + "x" * 257), 422, "invalid-request")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/made/versions/0", 404),
        ("POST", "/v2/health/live", 405),
        ("POST", "/v2/models/made/infer", 404),
        ("GET", "/v2/models/" + "x" * 300, 422),
    ],
)
def test_errors_of_the_inference_protocol_have_its_form(client: Client, method: str, path: str, status: int) -> None:
    response = client.call(method, path)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert response.headers["content-type"] == "application/json"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["events", "user_id", "item_id", "timestamp", "feedback_token", "event", "k", "history", "tier", "add", "path"]
ROUTES = [
    ("POST", "/recommend/batch"),
    ("POST", "/events"),
    ("POST", "/feedback"),
    ("PUT", "/admin/budget"),
    ("POST", "/admin/bundles/made/catalogue"),
    ("POST", "/admin/bundles/made/reload"),
    ("POST", "/admin/bundles/made/rollback"),
]
bodies = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ROUTES), bodies | st.lists(bodies, max_size=4) | anything)
def test_no_json_breaks_a_route(client: Client, route: tuple[str, str], body: Any) -> None:
    content = json.dumps(body).encode()
    response = client.call(*route, content=content, headers=JSON | ADMIN)
    assert response.status_code in (200, 400, 404, 409, 422), response.text
    if response.status_code == 200 and isinstance(body, list):
        for result in response.json():
            assert len(result) == 1
            if "problem" in result:
                assert_document(result["problem"])
