"""Requests of every kind over the made catalogue: what fits is answered, whichever way it is read; the rest is told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bulk import Bulk
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime
from hypothesis import strategies as st
from made_bundle import named_catalogue

from service.api.schemas.events import YEAR_3000
from service.budget.ladder import SEARCHES
from service.search.strategies.shelf import STRATEGIES

CATALOGUE = named_catalogue()
LONG_WAY = {"Content-Type": "application/json; charset=utf-8"}  # what the short way leaves to the framework
SHORT_WAY = {"Content-Type": "application/json"}

ids = st.sampled_from(CATALOGUE.ids[:40]) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
names = {
    "category": st.sampled_from(list(CATALOGUE.category_codes)),
    "brand": st.sampled_from(list(CATALOGUE.brand_codes)),
}
tiers = st.sampled_from(["auto", *SEARCHES])
budgets = tiers | st.fixed_dictionaries(
    {}, optional={"tier": st.none() | tiers, "latency_ms": st.none() | st.floats(0.001, 600_000)}
)
fitting = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256),
        "history": st.none() | st.lists(ids, max_size=12),
        "k": st.integers(1, 1000),
        "budget": st.none() | budgets,
        "exclude": st.lists(ids, max_size=8),
        "exclude_seen": st.booleans(),
        "explain": st.booleans(),
        "filter": st.none()
        | st.fixed_dictionaries(
            {},
            optional={name: one | st.lists(one, max_size=3) for name, one in names.items()}
            | {"allow": st.none() | st.lists(ids, max_size=9)},
        ),
    },
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["k50", "B000000001"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
HEADERS = (
    "x-ab-bucket",
    "x-request-id",
    "x-request-timeout-ms",
    "x-envoy-expected-rq-timeout-ms",
    "content-type",
    "content-length",
    "authorization",
    "traceparent",
    "accept",
    "host",
    "x-forwarded-for",
    "transfer-encoding",
)
FIELDS = ("user_id", "history", "k", "budget", "exclude", "exclude_seen", "explain", "strategy", "filter")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE), request_timeout_ms=60_000)) as opened:
        yield opened


@pytest.fixture
def bulk(pytestconfig: pytest.Config) -> Bulk:
    return Bulk(pytestconfig)


def test_a_request_that_fits_is_answered_alike_both_ways(client: Client, bulk: Bulk) -> None:
    def check(body: dict[str, Any]) -> None:
        first, second = (_ask(client, body, headers) for headers in (SHORT_WAY, LONG_WAY))
        given = [item["item_id"] for item in first["items"]]
        assert len(set(given)) == len(given) <= body.get("k", 10)
        assert not set(given) & set(body.get("exclude", []))
        if body.get("exclude_seen", True):
            assert not set(given) & set(body.get("history") or [])
        if not (first["degraded"] or second["degraded"]):
            assert first["items"] == second["items"]
            assert first["history"] == second["history"]

    bulk(40, 0.02, fitting, check)


def _ask(client: Client, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    response = client.call("POST", "/recommend", content=json.dumps(body).encode(), headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_any_json_is_judged_alike_both_ways(client: Client, bulk: Bulk) -> None:
    def check(body: Any) -> None:
        content = json.dumps(body).encode()
        answers = [client.call("POST", "/recommend", content=content, headers=way) for way in (SHORT_WAY, LONG_WAY)]
        assert answers[0].status_code == answers[1].status_code
        if answers[0].status_code != 200:
            first, second = (answer.json() for answer in answers)
            assert first.keys() == second.keys()
            assert first["detail"] == second["detail"]
            assert_problem(answers[0], answers[0].status_code, first["type"].rpartition("/")[2])

    bodies = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4) | anything
    strategies = st.fixed_dictionaries({"strategy": st.sampled_from(STRATEGIES) | st.text(max_size=70)})
    bulk(40, 0.02, bodies | strategies, check)


def test_headers_of_any_bytes_break_nothing(client: Client, bulk: Bulk) -> None:
    known = st.sampled_from(HEADERS)
    values = st.binary(max_size=40) | st.sampled_from([b"1", b"0", b"150", b"1e3", b"width=wide", b"application/json"])

    def check(headers: list[tuple[str, bytes]]) -> None:
        raw = [(name.encode(), value) for name, value in headers]
        response = client.call("POST", "/recommend", content=b'{"k": 1}', headers=raw)
        assert response.status_code in (200, 400, 413, 415, 422), response.text
        given = [value for name, value in headers if name == "x-request-id"]
        own = response.headers["x-request-id"].encode()
        assert own == given[0] if given and own in given else len(own) == 32

    bulk(40, 0.02, st.lists(st.tuples(known, values), max_size=5), check)


def test_timestamps_are_those_of_three_thousand_years(client: Client, bulk: Bulk) -> None:
    def check(timestamp: float) -> None:
        event = {"user_id": "u", "item_id": "B000000001", "timestamp": timestamp}
        content = json.dumps({"events": [event]}).encode()
        status = client.call("POST", "/events", content=content, headers=SHORT_WAY).status_code
        fits = 0 <= timestamp <= YEAR_3000
        assert status == (200 if fits else 422)

    bulk(30, 0.01, st.floats() | st.floats(-1, YEAR_3000 + 1) | st.integers(-10, 2**70), check)


def test_a_prefix_is_found_where_an_item_has_it(client: Client, bulk: Bulk) -> None:
    paths = {tuple(path[:depth]) for path in CATALOGUE.sids.tolist() for depth in (1, 2, 3)}

    def check(codes: list[int]) -> None:
        sid = ".".join(map(str, codes))
        response = client.call("GET", "/catalogue/prefixes", params={"sid": sid})
        if any(code > 999_999_999 for code in codes) or len(codes) > 32 or not codes:
            assert response.status_code == 422
            return
        found = response.json()["prefixes"]
        assert [tuple(one["sid"]) for one in found] == ([tuple(codes)] if tuple(codes) in paths else [])

    few = st.lists(st.integers(0, 9), max_size=5)
    bulk(30, 0.01, few | st.lists(st.integers(0, 2**33), max_size=40), check)


def test_any_text_is_a_prefix_or_told_that_it_is_none(client: Client, bulk: Bulk) -> None:
    def check(text: str) -> None:
        response = client.call("GET", "/catalogue/prefixes", params={"sid": text})
        assert response.status_code in (200, 422), response.text

    bulk(
        20,
        0.01,
        st.text(st.sampled_from("0123456789.٣ -+e\n"), max_size=12) | st.text(max_size=9).filter(_sendable),
        check,
    )


def test_a_path_of_any_text_breaks_nothing(client: Client, bulk: Bulk) -> None:
    def check(text: str) -> None:
        for method in ("GET", "DELETE", "POST"):
            response = client.call(method, "http://made/" + text)
            assert response.status_code < 500, (method, text, response.text)

    bits = st.sampled_from(
        ["users", "v2", "models", "admin", "bundles", "web", "..", ".", "", "%2e", "%00", "%ff", "x"]
    )
    bulk(20, 0.01, st.lists(bits | st.text("abc%?#;:@é\\", max_size=5), max_size=6).map("/".join), check)


def _sendable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
