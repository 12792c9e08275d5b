"""POST /events and DELETE /users: stored histories, and what happens when the store is gone."""

from collections.abc import Iterator
from io import StringIO

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from redis_server import RedisServer

CATALOGUE = made_catalogue()
ITEMS = list(CATALOGUE.ids[:4])


@pytest.fixture(params=["memory", "redis"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    url = request.getfixturevalue("redis").url if request.param == "redis" else None
    with Client(made_runtime(made_model(CATALOGUE), redis_url=url, redis_timeout_ms=2000)) as opened:
        yield opened


def _events(user: str, items: list[str]) -> list[dict[str, object]]:
    return [{"user_id": user, "item_id": item, "timestamp": 1e9 + at} for at, item in enumerate(items)]


def test_a_stored_history_is_as_good_as_a_given_one(client: Client) -> None:
    stored = client.call("POST", "/events", json={"events": _events("u/1", ITEMS)[::-1]})
    assert (stored.status_code, stored.json()) == (200, {"accepted": 4, "duplicates": 0})
    body = client.recommend(user_id="u/1").json()
    assert body["items"] == client.recommend(history=ITEMS).json()["items"]
    assert body["history"] == {"used": 4, "unknown": 0, "truncated": 0, "stored": True}
    assert client.recommend(user_id="u/1", history=[]).json()["source"] == "popularity"


def test_what_is_sent_again_is_kept_once(client: Client) -> None:
    client.call("POST", "/events", json={"events": _events("u2", ITEMS)})
    again = client.call("POST", "/events", json={"events": _events("u2", ITEMS)})
    assert again.json() == {"accepted": 0, "duplicates": 4}


def test_without_a_timestamp_it_happened_now(client: Client) -> None:
    client.call("POST", "/events", json={"events": _events("u3", ITEMS[:3])})
    client.call("POST", "/events", json={"events": [{"user_id": "u3", "item_id": ITEMS[3]}]})
    assert client.recommend(user_id="u3").json()["items"] == client.recommend(history=ITEMS).json()["items"]


def test_a_user_is_forgotten_whatever_the_id_looks_like(client: Client) -> None:
    for user in ("u4", "a/b", "..", "ü ü", "x?y#z", "%2F"):
        client.call("POST", "/events", json={"events": _events(user, ITEMS)})
        assert client.recommend(user_id=user).json()["history"]["used"] == 4
        path = "/users/" + "".join(f"%{byte:02X}" for byte in user.encode())
        for _ in range(2):
            response = client.call("DELETE", path)
            assert (response.status_code, response.content) == (204, b"")
        assert client.recommend(user_id=user).json()["history"]["used"] == 0


def test_an_empty_list_is_nothing(client: Client) -> None:
    assert client.call("POST", "/events", json={"events": []}).json() == {"accepted": 0, "duplicates": 0}


def test_a_store_that_cannot_keep_says_so_and_recommends_on() -> None:
    log = StringIO()
    with RedisServer() as server:
        runtime = made_runtime(made_model(CATALOGUE), log, redis_url=server.url, redis_timeout_ms=200)
        with Client(runtime) as client:
            server.kill()
            for method, path, body in (
                ("POST", "/events", {"events": _events("somebody", ITEMS)}),
                ("DELETE", "/users/somebody", None),
            ):
                response = client.call(method, path, json=body)
                assert_problem(response, 503, "store-unavailable")
                assert int(response.headers["retry-after"]) >= 1
            body = client.recommend(user_id="somebody").json()
            assert (len(body["items"]), body["degraded"], body["history"]["stored"]) == (10, True, False)
            assert client.recommend(user_id="somebody", history=ITEMS).json()["source"] == "search"
            assert 'promise_degraded_total{reason="history_unavailable"} 1.0' in client.figures()
            assert client.call("GET", "/health/ready").status_code == 200
    assert "somebody" not in log.getvalue()
