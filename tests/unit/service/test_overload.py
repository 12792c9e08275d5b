"""Too many at once are told to come back; an unforeseen error is a problem too; neither harms the next request."""

import asyncio
import json
import threading
from io import StringIO
from typing import Any

import httpx
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

from service.app import create_app
from service.engine.fake import FakeEngine
from service.engine.protocol import F16, I32
from service.search.trie import build

CATALOGUE = made_catalogue()
BODY: dict[str, Any] = {"history": list(CATALOGUE.ids[:5]), "budget": "k200"}


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
            responses = await asyncio.gather(*tasks)
        await runtime.close()
        return responses

    responses = asyncio.run(crowd())
    refused = [response for response in responses if response.status_code == 503]
    assert sorted(response.status_code for response in responses) == [200] * 2 + [503] * 6
    for response in refused:
        assert response.headers["content-type"] == "application/problem+json"
        assert 1 <= int(response.headers["retry-after"]) <= 3
        assert response.json()["type"] == "/problems/overloaded"
    assert 'promise_shed_total{reason="concurrency"} 6.0' in runtime.metrics.exposition()[0].decode()


def test_who_leaves_before_the_answer_is_on_the_books_all_the_same() -> None:
    engine, log = GatedEngine(), StringIO()
    runtime = made_runtime(made_model(CATALOGUE, engine), log)

    async def leave() -> None:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://made") as client:
            engine.gate.clear()
            task = asyncio.create_task(client.post("/recommend", json=BODY))
            while not runtime.batcher.busy_s():
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            engine.gate.set()
            assert (await client.post("/recommend", json=BODY)).status_code == 200
        await runtime.close()

    asyncio.run(leave())
    assert [json.loads(line)["status"] for line in log.getvalue().splitlines()] == [499, 200]
    assert 'promise_requests_total{bucket="default",status="499"} 1.0' in runtime.metrics.exposition()[0].decode()


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


def test_who_would_come_too_late_is_told_at_the_door() -> None:
    engine = GatedEngine()
    runtime = made_runtime(made_model(CATALOGUE, engine), max_concurrent=50)

    async def crowd() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://made") as client:
            engine.gate.clear()
            tasks = [asyncio.create_task(client.post("/recommend", json=BODY))]
            while not runtime.batcher.busy_s():
                await asyncio.sleep(0.001)
            tasks += [asyncio.create_task(client.post("/recommend", json=BODY)) for _ in range(19)]
            while runtime.batcher.depth < 19:
                await asyncio.sleep(0.001)
            late = await client.post("/recommend", json=BODY | {"budget": {"latency_ms": 0.1}})
            engine.gate.set()
            assert {task.status_code for task in await asyncio.gather(*tasks)} == {200}
        await runtime.close()
        return late

    late = asyncio.run(crowd())
    assert (late.status_code, late.json()["type"]) == (503, "/problems/overloaded")
    assert int(late.headers["retry-after"]) >= 1
    assert 'promise_shed_total{reason="queue"} 1.0' in runtime.metrics.exposition()[0].decode()
