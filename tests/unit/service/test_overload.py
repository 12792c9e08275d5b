"""Too many at once are told to come back; an unforeseen error is a problem too; neither harms the next request."""

import asyncio
import json
import threading
from io import StringIO
from typing import Any

import httpx
import pytest
from fake_service import Client, made_catalogue, made_model, made_runtime

from service.api.admission import Admission
from service.app import create_app
from service.engine.fake import FakeEngine
from service.engine.protocol import F16, I32
from service.errors import OverloadedError
from service.search.trie import build

CATALOGUE = made_catalogue()
BODY: dict[str, Any] = {"history": list(CATALOGUE.ids[:5]), "budget": "k200"}


def test_places_are_bounded_and_given_back() -> None:
    admission = Admission(2, jitter=lambda: 0.99)
    with admission.slot(), admission.slot():
        with pytest.raises(OverloadedError) as caught, admission.slot():
            pass
        assert caught.value.retry_after_s == 3
    with pytest.raises(RuntimeError), admission.slot():
        raise RuntimeError
    assert admission.active == 0


class GatedEngine(FakeEngine):
    """An engine whose encoder waits for the gate."""

    def __init__(self) -> None:
        super().__init__(build(CATALOGUE.sids))
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        self.gate.wait()
        return super().encode(codes, items, lengths)


def test_a_crowd_is_answered_or_told_to_come_back() -> None:
    engine = GatedEngine()
    runtime = made_runtime(made_model(CATALOGUE, engine), max_concurrent=2)

    async def crowd() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://made") as client:
            engine.gate.clear()
            tasks = [asyncio.create_task(client.post("/recommend", json=BODY)) for _ in range(8)]
            while sum(task.done() for task in tasks) < 6:
                await asyncio.sleep(0.001)
            engine.gate.set()
            return await asyncio.gather(*tasks)

    responses = asyncio.run(crowd())
    refused = [response for response in responses if response.status_code == 503]
    assert sorted(response.status_code for response in responses) == [200] * 2 + [503] * 6
    for response in refused:
        assert response.headers["content-type"] == "application/problem+json"
        assert 1 <= int(response.headers["retry-after"]) <= 3
        assert response.json()["type"] == "/problems/overloaded"
    assert 'promise_shed_total{reason="concurrency"} 6.0' in runtime.metrics.exposition()[0].decode()
    runtime.close()


class BrokenEngine(FakeEngine):
    """An engine whose encoder fails after warm-up."""

    broken = False

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        if self.broken:
            raise RuntimeError("secret detail of the machine")
        return super().encode(codes, items, lengths)


def test_an_unforeseen_error_is_a_500_problem_without_its_secrets() -> None:
    engine, log = BrokenEngine(build(CATALOGUE.sids)), StringIO()
    with Client(made_runtime(made_model(CATALOGUE, engine), log)) as client:
        engine.broken = True
        response = client.recommend(**BODY)
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert "secret" not in response.text
        trace, line = (json.loads(line) for line in log.getvalue().splitlines())
        assert "secret detail" in trace["exception"]
        assert trace["request_id"] == line["request_id"] == response.json()["request_id"]
        engine.broken = False
        assert client.recommend(**BODY).status_code == 200
