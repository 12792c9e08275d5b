"""Too many at once are told to come back; an unforeseen error is a problem too; neither harms the next request."""

import asyncio
import json
from io import StringIO
from typing import Any

import httpx
import pytest
from fake_service import Client, made_catalogue, made_model, made_runtime

from service.api.admission import Admission
from service.app import create_app
from service.engine.fake import FakeEngine
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


def test_a_crowd_is_answered_or_told_to_come_back() -> None:
    runtime = made_runtime(made_model(CATALOGUE), max_concurrent=2)

    async def crowd() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://made") as client:
            return await asyncio.gather(*(client.post("/recommend", json=BODY) for _ in range(8)))

    responses = asyncio.run(crowd())
    refused = [response for response in responses if response.status_code == 503]
    assert [response.status_code for response in responses].count(200) == 8 - len(refused)
    assert 0 < len(refused) < 8
    for response in refused:
        assert response.headers["content-type"] == "application/problem+json"
        assert 1 <= int(response.headers["retry-after"]) <= 3
        assert response.json()["type"] == "/problems/overloaded"
    figures = runtime.metrics.exposition()[0].decode()
    assert f'promise_shed_total{{reason="concurrency"}} {len(refused)}.0' in figures
    runtime.close()


class BrokenEngine(FakeEngine):
    """An engine whose encoder fails after warm-up."""

    broken = False

    def encode(self, *args: object) -> object:  # type: ignore[override]
        if self.broken:
            raise RuntimeError("secret detail of the machine")
        return super().encode(*args)  # type: ignore[arg-type]


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
