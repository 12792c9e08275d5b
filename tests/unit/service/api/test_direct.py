"""The short way of POST /recommend answers as the framework's way does; a charset in the header asks for that one."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fake_service import Client, made_model, made_runtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import made_catalogue
from starlette.types import Message

from service.api.context import open_context
from service.api.direct import Direct
from service.api.schemas.answer import RecommendResponse

CATALOGUE = made_catalogue()
SHORT, LONG = "application/json", "application/json; charset=utf-8"
PASSING = ("timings_ms", "feedback_token", "cache")  # differ from one answer to the next


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE))) as opened:
        yield opened


def asked(client: Client, body: bytes, content_type: str, **headers: str) -> tuple[int, dict[str, Any], set[str]]:
    """Status, body without what passes, and names of headers."""
    sent = {"Content-Type": content_type, "X-Request-ID": "same", **headers}
    reply = client.call("POST", "/recommend", content=body, headers=sent)
    shown = {name: value for name, value in reply.json().items() if name not in PASSING}
    return reply.status_code, shown, set(reply.headers)


ids = st.sampled_from([*CATALOGUE.ids[:20], "unknown", ""])
values = st.one_of(st.none(), st.booleans(), st.integers(-2, 30), st.floats(), st.text(max_size=3), st.lists(ids))
right = st.fixed_dictionaries(
    {"history": st.lists(ids, max_size=6)},
    optional={
        "k": st.integers(0, 20),
        "budget": st.sampled_from(["auto", "k10", "floor", "exact", "no-tier", {"tier": "k20"}, {"latency_ms": 5000}]),
        "strategy": st.sampled_from(["beam", "guided", "other"]),
        "exclude": st.lists(ids, max_size=3),
        "exclude_seen": st.booleans(),
        "explain": st.booleans(),
        "filter": st.fixed_dictionaries({}, optional={"allow": st.lists(ids, max_size=5), "category": st.just("none")}),
    },
)
wild = st.dictionaries(st.sampled_from(["history", "k", "budget", "exclude", "explain", "user_id", "kk"]), values)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(right, wild))
def test_both_ways_give_the_same(client: Client, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    assert asked(client, content, SHORT) == asked(client, content, LONG)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"history": ["\xff"]}', rb'{"user_id": "\ud800"}', b'{"k": NaN}', '{"k": 5}'.encode("utf-16")],
)
def test_what_is_hardly_json_is_judged_alike(client: Client, body: bytes) -> None:
    assert asked(client, body, SHORT) == asked(client, body, LONG)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-AB-Bucket": "nobody"},
        {"X-Request-Timeout-Ms": "soon"},
        {"X-Request-Timeout-Ms": "60000", "x-envoy-expected-rq-timeout-ms": "0"},
        {"X-Request-ID": "not an id!"},
    ],
)
def test_headers_mean_the_same(client: Client, headers: dict[str, str]) -> None:
    body = json.dumps({"history": list(CATALOGUE.ids[:3])}).encode()
    (status, shown, names), (other, known, others) = (asked(client, body, way, **headers) for way in (SHORT, LONG))
    shown.pop("request_id"), known.pop("request_id")
    assert (status, shown, names) == (other, known, others)


def test_an_answer_is_what_the_document_says(client: Client) -> None:
    for more in ({}, {"explain": True}, {"budget": "exact"}, {"strategy": "beam"}):
        body = client.recommend(history=list(CATALOGUE.ids[:4]), k=5, **more).json()
        model = RecommendResponse.model_validate(body)
        assert json.loads(model.model_dump_json(exclude_unset=True)) == body


class Wire:
    """An ASGI exchange by hand: these messages are received, then nothing more comes."""

    def __init__(self, *messages: Message) -> None:
        self.waiting, self.sent = list(messages), list[Message]()

    async def receive(self) -> Message:
        return self.waiting.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def scope(**more: Any) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json")]
    common = {"type": "http", "method": "POST", "path": "/recommend", "headers": headers, "query_string": b""}
    return common | {"server": ("made", 80), "scheme": "http", "root_path": "", "http_version": "1.1"} | more


def test_a_body_in_pieces(client: Client) -> None:
    whole = json.dumps({"history": list(CATALOGUE.ids[:3])}).encode()
    pieces = [{"type": "http.request", "body": whole[at : at + 7], "more_body": True} for at in range(0, len(whole), 7)]
    wire = Wire(*pieces, {"type": "http.request"})
    asyncio.run(client.app(scope(), wire.receive, wire.send))
    start, body = wire.sent
    assert start["status"] == 200
    assert len(json.loads(body["body"])["items"]) == 10
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_a_caller_who_leaves_is_left_to_the_framework(client: Client) -> None:
    got: list[Message] = []

    async def framework(_scope: Any, receive: Any, _send: Any) -> None:
        got.extend([await receive(), await receive()])

    pieces = {"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}
    wire, arriving = Wire(*pieces), scope()
    open_context(arriving)
    asyncio.run(Direct(framework, client.app.state.promise)(arriving, wire.receive, wire.send))
    assert got == list(pieces)
    assert not wire.sent
