"""More than there is room for: refusals are clear and counted, others are served meanwhile, all is well afterwards."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flooded import ASK, Answer, Flooded, answer, closed, flooded, recommend, until

from loadtest.client import request

PLACES, CROWD, ROOM = 8, 40, 16


@pytest.fixture(scope="module")
def running() -> Iterator[Flooded]:
    with flooded(max_concurrent=PLACES, max_batch=1) as one:
        yield one


@pytest.fixture
def service(running: Flooded) -> Iterator[Flooded]:
    """With an engine that takes no time, nobody inside, and no connection but those of the test."""
    running.engine.seconds = 0.0
    until(lambda: len(running.house.book) == running.house.state.admission.active == 0)
    yield running
    running.house.state.admission.active = 0


def burst(service: Flooded, asked: list[bytes]) -> list[Answer]:
    """All at once, each on a connection of its own."""
    with ExitStack() as opened:
        plugs = [opened.enter_context(service.connect()) for _ in asked]
        for plug, text in zip(plugs, asked, strict=True):
            plug.sendall(text)
        return [answer(plug) for plug in plugs]


def different(count: int) -> list[bytes]:
    return [recommend({"X-Request-ID": f"a-{n}"}, user_id=f"u{n}") for n in range(count)]


def test_refusals_of_a_burst_are_clear_and_counted_and_it_passes(service: Flooded) -> None:
    names = ('promise_shed_total{reason="concurrency"}', 'promise_requests_total{bucket="default",status="503"}')
    before = [service.count(name) for name in names]
    service.engine.seconds = 0.03
    answers = burst(service, different(CROWD))
    statuses = Counter(one.status for one in answers)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= PLACES
    for number, one in enumerate(answers):
        assert one.headers["x-request-id"] == f"a-{number}"
        assert one.headers["x-ab-bucket"] == "default"
        if one.status == 503:
            assert one.problem(503, "overloaded")["instance"] == "/recommend"
            assert 1 <= int(one.headers["retry-after"]) <= 4
    assert [service.count(name) for name in names] == [one + statuses[503] for one in before]
    assert service.ask().status == 200


def test_a_refusal_by_the_connection_is_that_of_the_framework(service: Flooded) -> None:
    service.house.state.admission.active = PLACES
    quick = service.ask()
    with service.connect() as plug:  # who asks for permission to send is left to the framework
        plug.sendall(recommend({"Expect": "100-continue"}))
        usual = answer(plug)
    ids = [json.loads(one.body)["request_id"] for one in (quick, usual)]
    assert quick.body.replace(ids[0].encode(), b"") == usual.body.replace(ids[1].encode(), b"")
    assert sorted(quick.headers) == sorted(usual.headers)
    for name in ("content-type", "cache-control", "x-ab-bucket", "content-length"):
        assert quick.headers[name] == usual.headers[name]


def test_a_connection_goes_on_after_a_refusal(service: Flooded) -> None:
    with service.connect() as plug:
        service.house.state.admission.active = PLACES
        plug.sendall(recommend())
        answer(plug).problem(503, "overloaded")
        service.house.state.admission.active = 0
        plug.sendall(recommend())
        assert answer(plug).status == 200


def test_one_hot_user_leaves_places_to_others(service: Flooded) -> None:
    service.engine.seconds = 0.05
    found = list[list[Answer]]()
    crowd = threading.Thread(target=lambda: found.append(burst(service, [recommend(user_id="hot")] * CROWD)))
    crowd.start()
    until(lambda: service.house.state.admission.active >= PLACES // 2)
    others = burst(service, different(PLACES // 2))
    crowd.join()
    assert {one.status for one in others} == {200}
    refused = [one for one in found[0] if one.status != 200]
    assert len(refused) >= CROWD - PLACES
    assert "same request" in refused[0].problem(503, "overloaded")["detail"]


def test_idle_connections_give_way_and_busy_ones_do_not(service: Flooded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.house.book, "limit", ROOM)
    service.engine.seconds = 0.3
    with ExitStack() as opened:
        first = opened.enter_context(service.connect())
        first.sendall(recommend())
        until(lambda: service.house.state.admission.active == 1)
        idle = [opened.enter_context(service.connect()) for _ in range(ROOM - 1)]
        until(lambda: len(service.house.book) == ROOM)
        service.engine.seconds = 0.0
        assert service.ask().status == 200  # one more than there may be
        assert closed(idle[0])
        assert answer(first).status == 200


def test_where_none_is_idle_the_new_one_is_refused(service: Flooded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.house.book, "limit", ROOM)
    monkeypatch.setattr("service.api.connections.YOUNG_S", 60.0)
    name = 'promise_shed_total{reason="connections"}'
    before = service.count(name)
    with ExitStack() as opened:
        for _ in range(ROOM):
            opened.enter_context(service.connect()).sendall(b"POST /rec")
        until(lambda: len(service.house.book.reading) == ROOM)
        with service.connect() as plug:
            answer(plug).problem(503, "overloaded")
            assert closed(plug)
    until(lambda: len(service.house.book) == 0)
    assert service.count(name) == before + 1


def test_bodies_that_arrive_may_hold_so_much_memory(service: Flooded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.house.book, "memory", 1 << 16)
    head = request("POST", "/recommend", b" " * 1000)[:-10]
    with ExitStack() as opened:
        plugs = [opened.enter_context(service.connect()) for _ in range(80)]
        for plug in plugs:
            plug.sendall(head)
        answer(plugs[0]).problem(503, "overloaded")  # the one that has been at it longest
        plugs[-1].sendall(b" " * 10)
        answer(plugs[-1]).problem(400, "malformed-body")
    until(lambda: len(service.house.book) == 0)
    assert service.house.book.held == 0


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_body_that_comes_later_is_answered(service: Flooded, pieces: int) -> None:
    with service.connect() as plug:
        head, body = recommend().split(b"\r\n\r\n")
        plug.sendall(head + b"\r\n\r\n")
        for at in range(pieces):
            until(lambda: len(service.house.book.reading) == 1)
            plug.sendall(body[len(body) * at // pieces : len(body) * (at + 1) // pieces])
        assert answer(plug).status == 200
        plug.sendall(recommend() * 3)  # several at once
        assert [answer(plug).status for _ in range(3)] == [200] * 3
    assert json.loads(body) == ASK
