"""Malformed requests: each gets a 4xx problem (RFC 9457) or the documented fallback, never a 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import made_catalogue

CATALOGUE = made_catalogue()
KNOWN = CATALOGUE.ids[0]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE))) as opened:
        yield opened


BODIES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 422, "invalid-request"),
    "blank": (b"  ", 400, "malformed-body"),
    "text": (b"hello", 400, "malformed-body"),
    "half an object": (b'{"k": 10', 400, "malformed-body"),
    "two objects": (b"{}{}", 400, "malformed-body"),
    "invalid UTF-8": (b'{"history": ["\xff\xfe\xff"]}', 400, "malformed-body"),
    "a null byte": (b'{"k":\x0010}', 400, "malformed-body"),
    "nested too deeply": (b"[" * 100_000 + b"]" * 100_000, 400, "malformed-body"),
    "nested deeply": (b'{"history":' + b"[" * 200 + b"]" * 200 + b"}", 422, "invalid-request"),
    "a number too long": (b'{"k": ' + b"9" * 10_000 + b"}", 400, "malformed-body"),
    "null": (b"null", 422, "invalid-request"),
    "a list": (b"[]", 422, "invalid-request"),
    "a string": (b'"history"', 422, "invalid-request"),
    "a number": (b"17", 422, "invalid-request"),
    "true": (b"true", 422, "invalid-request"),
    "k NaN": (b'{"k": NaN}', 422, "invalid-request"),
    "k Infinity": (b'{"k": Infinity}', 422, "invalid-request"),
    "k a huge integer": (b'{"k": ' + b"9" * 400 + b"}", 422, "invalid-request"),
    "latency NaN": (b'{"budget": {"latency_ms": NaN}}', 422, "invalid-request"),
    "latency infinite": (b'{"budget": {"latency_ms": -Infinity}}', 422, "invalid-request"),
    "a lone surrogate in an id": (rb'{"history": ["\ud800"]}', 422, "invalid-request"),
    "a lone surrogate as a field": (rb'{"\ud800": 1}', 422, "invalid-request"),
    "a lone surrogate as a tier": (rb'{"budget": "\udfff"}', 422, "invalid-request"),
    "an endless field name": (b'{"' + b"x" * 100_000 + b'": 1}', 422, "invalid-request"),
    "an endless tier": (b'{"budget": "' + b"k" * 100_000 + b'"}', 422, "invalid-request"),
    "a thousand unknown fields": (
        json.dumps({f"field{n}": n for n in range(1000)}).encode(), 422, "invalid-request"
    ),
    "over 1 MB": (b'{"history": ["' + b"x" * (5 << 20) + b'"]}', 413, "body-too-large"),
}  # fmt: skip

FIELDS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "k zero": ({"k": 0}, 422, "invalid-request", "k"),
    "k negative": ({"k": -1}, 422, "invalid-request", "k"),
    "k a billion": ({"k": 10**9}, 422, "invalid-request", "k"),
    "k just too large": ({"k": 1001}, 422, "invalid-request", "k"),
    "k a boolean": ({"k": True}, 422, "invalid-request", "k"),
    "k a float": ({"k": 2.5}, 422, "invalid-request", "k"),
    "k a string": ({"k": "10"}, 422, "invalid-request", "k"),
    "k null": ({"k": None}, 422, "invalid-request", "k"),
    "history a string": ({"history": KNOWN}, 422, "invalid-request", "history"),
    "history an object": ({"history": {"0": KNOWN}}, 422, "invalid-request", "history"),
    "history of numbers": ({"history": [KNOWN, 7]}, 422, "invalid-request", "history.1"),
    "history of nulls": ({"history": [None] * 5000}, 422, "invalid-request", "history.0"),
    "history of lists": ({"history": [[KNOWN]]}, 422, "invalid-request", "history.0"),
    "an empty id": ({"history": [""]}, 422, "invalid-request", "history.0"),
    "an endless id": ({"history": ["x" * 257]}, 422, "invalid-request", "history.0"),
    "history over the cap": ({"history": [KNOWN] * 10_001}, 422, "invalid-request", "history"),
    "exclude over the cap": ({"exclude": [KNOWN] * 10_001}, 422, "invalid-request", "exclude"),
    "exclude null": ({"exclude": None}, 422, "invalid-request", "exclude"),
    "exclude_seen a string": ({"exclude_seen": "yes"}, 422, "invalid-request", "exclude_seen"),
    "exclude_seen a number": ({"exclude_seen": 1}, 422, "invalid-request", "exclude_seen"),
    "explain a string": ({"explain": "true"}, 422, "invalid-request", "explain"),
    "user_id a number": ({"user_id": 7}, 422, "invalid-request", "user_id"),
    "user_id empty": ({"user_id": ""}, 422, "invalid-request", "user_id"),
    "unknown field": ({"histroy": [KNOWN]}, 422, "invalid-request", "histroy"),
    "filter a string": ({"filter": "Beauty"}, 422, "invalid-request", "filter"),
    "filter with unknown field": ({"filter": {"categories": "x"}}, 422, "invalid-request", "filter.categories"),
    "category a number": ({"filter": {"category": 7}}, 422, "invalid-request", "filter.category"),
    "category null": ({"filter": {"category": None}}, 422, "invalid-request", "filter.category"),
    "brand of numbers": ({"filter": {"brand": ["a", 7]}}, 422, "invalid-request", "filter.brand.1"),
    "an empty category": ({"filter": {"category": ""}}, 422, "invalid-request", "filter.category.0"),
    "too many brands": ({"filter": {"brand": ["a"] * 101}}, 422, "invalid-request", "filter.brand"),
    "allow a string": ({"filter": {"allow": KNOWN}}, 422, "invalid-request", "filter.allow"),
    "allow over the cap": ({"filter": {"allow": [KNOWN] * 10_001}}, 422, "invalid-request", "filter.allow"),
    "unknown category": ({"filter": {"category": "x"}}, 400, "unknown-filter", ""),
    "unknown brand without a history": ({"filter": {"brand": ["x"]}, "history": []}, 400, "unknown-filter", ""),
    "a response's field": ({"feedback_token": "x"}, 422, "invalid-request", "feedback_token"),
    "unknown strategy": ({"history": [KNOWN], "strategy": "greedy"}, 400, "unknown-strategy", ""),
    "unknown tier": ({"budget": "k51"}, 400, "unknown-tier", ""),
    "unknown tier in an object": ({"budget": {"tier": "huge"}}, 400, "unknown-tier", ""),
    "unknown tier without a history": ({"budget": "huge", "history": []}, 400, "unknown-tier", ""),
    "exact as a beam": ({"history": [KNOWN], "budget": "exact", "strategy": "beam"}, 400, "unknown-tier", ""),
    "budget a number": ({"budget": 50}, 422, "invalid-request", "budget: "),
    "budget a list": ({"budget": ["k50"]}, 422, "invalid-request", "budget"),
    "budget with unknown field": ({"budget": {"teir": "k50"}}, 422, "invalid-request", "budget"),
    "latency zero": ({"budget": {"latency_ms": 0}}, 422, "invalid-request", "budget.latency_ms: "),
    "latency negative": ({"budget": {"latency_ms": -5}}, 422, "invalid-request", "budget"),
    "latency a string": ({"budget": {"latency_ms": "5"}}, 422, "invalid-request", "budget"),
    "latency a boolean": ({"budget": {"latency_ms": True}}, 422, "invalid-request", "budget"),
    "two mistakes": ({"k": 0, "explain": 1}, 422, "invalid-request", "k"),
}

HEADERS: dict[str, tuple[dict[str, str], int, str]] = {
    "no content type": ({"Content-Type": ""}, 415, "unsupported-media-type"),
    "text": ({"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
    "nonsense type": ({"Content-Type": ";;=\x80"}, 415, "unsupported-media-type"),
    "a bucket": (JSON | {"X-AB-Bucket": "treatment"}, 400, "unknown-bucket"),
    "an empty bucket": (JSON | {"X-AB-Bucket": ""}, 400, "unknown-bucket"),
    "a named bucket": (JSON | {"X-AB-Bucket": "ranking=treatment"}, 400, "unknown-bucket"),
    "timeout a word": (JSON | {"X-Request-Timeout-Ms": "soon"}, 422, "invalid-request"),
    "timeout NaN": (JSON | {"X-Request-Timeout-Ms": "nan"}, 422, "invalid-request"),
    "timeout infinite": (JSON | {"X-Request-Timeout-Ms": "inf"}, 422, "invalid-request"),
    "timeout negative": (JSON | {"X-Request-Timeout-Ms": "-1"}, 422, "invalid-request"),
    "timeout empty": (JSON | {"X-Request-Timeout-Ms": ""}, 422, "invalid-request"),
    "a proxy's timeout negative": (JSON | {"x-envoy-expected-rq-timeout-ms": "-1"}, 422, "invalid-request"),
}

ROUTES = [
    ("GET", "/recommend", 405, "method-not-allowed"),
    ("DELETE", "/recommend", 405, "method-not-allowed"),
    ("BREW", "/recommend", 405, "method-not-allowed"),
    ("POST", "/metrics", 405, "method-not-allowed"),
    ("POST", "/health/live", 405, "method-not-allowed"),
    ("POST", "/recommend/", 404, "not-found"),
    ("GET", "/recommend/batch", 405, "method-not-allowed"),
    ("POST", "/experiments", 405, "method-not-allowed"),
    ("GET", "/admin", 404, "not-found"),
    ("GET", "/%00%ff%ed%a0%80/../etc/passwd", 404, "not-found"),
    ("GET", "/" + "x" * 5000, 404, "not-found"),
]


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body(client: Client, name: str) -> None:
    content, status, slug = BODIES[name]
    assert_problem(client.call("POST", "/recommend", content=content, headers=JSON), status, slug)


@pytest.mark.parametrize("name", FIELDS)
def test_a_wrong_field_is_named(client: Client, name: str) -> None:
    body, status, slug, field = FIELDS[name]
    problem = assert_problem(client.recommend(**body), status, slug)
    assert problem["detail"].startswith(field)


@pytest.mark.parametrize("name", HEADERS)
def test_a_wrong_header(client: Client, name: str) -> None:
    headers, status, slug = HEADERS[name]
    raw = {key: value.encode("latin-1") for key, value in headers.items()}
    assert_problem(client.call("POST", "/recommend", content=b'{"k": 5}', headers=raw), status, slug)


@pytest.mark.parametrize(("method", "path", "status", "slug"), ROUTES)
def test_a_wrong_route(client: Client, method: str, path: str, status: int, slug: str) -> None:
    response = client.call(method, path)
    assert_problem(response, status, slug)
    assert ("allow" in response.headers) == (status == 405)


def test_a_body_that_grows_beyond_the_limit_as_it_streams(client: Client) -> None:
    async def drops() -> Any:
        for _ in range(40):
            yield b" " * (64 << 10)

    assert_problem(client.call("POST", "/recommend", content=drops(), headers=JSON), 413, "body-too-large")


def test_a_length_that_is_no_number(client: Client) -> None:
    response = client.call("POST", "/recommend", content=b"{}", headers=JSON | {"Content-Length": "many"})
    assert response.status_code == 200


# What is documented to work although it looks wrong.


def test_ten_thousand_items_keep_the_newest(client: Client) -> None:
    history = [CATALOGUE.ids[n % 290] for n in range(10_000)]
    body = client.recommend(history=history).json()
    assert body["history"] == {"used": 20, "unknown": 0, "truncated": 9980, "stored": False}
    newest = client.recommend(history=history[-20:], exclude=list(set(history))).json()
    assert [item["item_id"] for item in body["items"]] == [item["item_id"] for item in newest["items"]]


def test_unknown_ids_are_skipped_and_counted(client: Client) -> None:
    body = client.recommend(history=["?", KNOWN, "\x00", "🙂", "B" * 256]).json()
    assert body["source"] == "search"
    assert body["history"] == {"used": 1, "unknown": 4, "truncated": 0, "stored": False}
    plain = client.recommend(history=[KNOWN]).json()
    assert plain["items"] == body["items"]


def test_null_is_as_good_as_absent(client: Client) -> None:
    absent = dict.fromkeys(("user_id", "history", "strategy", "budget", "filter"))
    assert client.recommend(**absent).json()["items"] == client.recommend().json()["items"]


def test_of_a_repeated_key_the_last_counts(client: Client) -> None:
    body = client.call("POST", "/recommend", content=b'{"k": 0, "k": 3}', headers=JSON).json()
    assert len(body["items"]) == 3


def test_a_garbled_request_id_is_replaced(client: Client) -> None:
    raw = JSON | {"X-Request-ID": "\x01\xff" * 50}
    headers = {key: value.encode("latin-1") for key, value in raw.items()}
    assert client.call("POST", "/recommend", content=b"{}", headers=headers).status_code == 200


def test_a_json_suffix_and_a_charset_are_json(client: Client) -> None:
    for content_type in ("application/json; charset=utf-8", "application/vnd.promise+json", "APPLICATION/JSON"):
        response = client.call("POST", "/recommend", content=b"{}", headers={"Content-Type": content_type})
        assert response.status_code == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["k50", KNOWN]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELD_NAMES = ["user_id", "history", "k", "budget", "exclude", "exclude_seen", "explain", "strategy", "filter"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELD_NAMES), anything, max_size=4))
def test_no_json_object_breaks_the_service(client: Client, body: dict[str, Any]) -> None:
    response = client.call("POST", "/recommend", content=json.dumps(body).encode(), headers=JSON)
    assert response.status_code in (200, 400, 422), response.text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_no_bytes_break_the_service(client: Client, content: bytes) -> None:
    response = client.call("POST", "/recommend", content=content, headers=JSON)
    assert response.status_code in (200, 400, 422), response.text
