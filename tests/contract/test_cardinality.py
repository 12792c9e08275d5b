"""Whatever callers send, the time series are those of the configuration: 10,000 random requests add none."""

import json
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

CATALOGUE = made_catalogue()
EXPERIMENTS = """
experiments:
  - name: width
    coverage: 0.9
    buckets: [{name: narrow, weight: 0.5, tier: k10}, {name: wide, weight: 0.5, tier: k20}]
"""
ROUNDS = 60  # users of every kind before counting: enough to meet every bucket
RANDOM = 10_000


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits + "-_.", k=rng.randint(1, 40)))


def crowd(rng: random.Random, **more: Any) -> dict[str, Any]:
    return {"user_id": word(rng), "history": [word(rng), CATALOGUE.ids[rng.randrange(300)]], "k": 2} | more


def recommend(rng: random.Random, headers: dict[str, str] | None = None, **more: Any) -> Request:
    return Request("POST", "/recommend", crowd(rng, **more), headers or {})


Kind = Callable[[random.Random], Request]
KINDS: tuple[Kind, ...] = (
    recommend,
    lambda rng: recommend(rng, budget="k20"),
    lambda rng: recommend(rng, budget="exact"),
    lambda rng: recommend(rng, strategy="beam"),
    lambda rng: recommend(rng, strategy=word(rng)),
    lambda rng: recommend(rng, budget=word(rng)),
    lambda rng: recommend(rng, history=[word(rng)]),
    lambda rng: recommend(rng, None, **{word(rng) + "?": 1}),
    lambda rng: recommend(rng, filter={"category": word(rng)}),
    lambda rng: recommend(rng, {"X-Request-ID": word(rng)}),
    lambda rng: recommend(rng, {"X-Request-Timeout-Ms": str(rng.randint(5_000, 10**6))}),
    lambda rng: recommend(rng, {"X-Request-Timeout-Ms": word(rng) + "?"}),
    lambda rng: recommend(rng, {"X-AB-Bucket": word(rng) + "?"}),
    lambda rng: recommend(rng, {"X-AB-Bucket": "wide"}),
    lambda rng: recommend(rng, {"User-Agent": word(rng), "traceparent": word(rng), word(rng): word(rng)}),
    lambda rng: Request("POST", "/recommend/batch", [crowd(rng), {word(rng): 1}]),
    lambda rng: Request("POST", "/events", {"events": [{"user_id": word(rng), "item_id": word(rng)}]}),
    lambda rng: Request("POST", "/feedback", {"feedback_token": word(rng), "item_id": word(rng), "event": "click"}),
    lambda rng: Request("DELETE", f"/users/{word(rng)}"),
    lambda rng: Request("GET", f"/{word(rng)}/{word(rng)}"),
    lambda rng: Request("GET", f"/web/{word(rng)}"),
    lambda rng: Request("GET", f"/catalogue/{word(rng)}"),
    lambda rng: Request("GET", "/catalogue/items", query=f"{rng.choice(['q', 'id', 'bundle', 'x'])}={word(rng)}"),
    lambda rng: Request("GET", "/catalogue/prefixes", query=f"sid={rng.choice([word(rng), '1.2'])}"),
    lambda rng: Request(re.sub("[^A-Z]", "X", word(rng).upper()), "/recommend"),
    lambda rng: Request("GET", f"/v2/models/{word(rng)}/versions/{word(rng)}"),
    lambda rng: Request("GET", f"/experiments/{word(rng)}/report"),
    lambda rng: Request("POST", f"/admin/bundles/{word(rng)}/reload", headers={"Authorization": f"Bearer {word(rng)}"}),
)


async def send(app: Any, request: Request) -> int:
    """The status, straight from the application: thousands of requests in seconds."""
    content = b"" if request.body is None else json.dumps(request.body).encode()
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in request.headers.items()}}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def reply(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    await app(scope, receive, reply)
    assert isinstance(statuses[0], int)
    return statuses[0]


def series(client: Client) -> set[str]:
    lines = client.figures().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    path = tmp_path / "experiments.yaml"
    path.write_text(EXPERIMENTS)
    with Client(made_runtime(made_model(CATALOGUE), experiments=path, admin_token="a-token-of-the-admin")) as opened:
        yield opened


def test_random_requests_add_no_series(client: Client) -> None:
    rng, statuses = random.Random(0), set[int]()

    async def each(requests: Iterator[Request]) -> None:
        for request in requests:
            statuses.add(await send(client.app, request))

    client._loop.run(each(kind(rng) for kind in KINDS for _ in range(ROUNDS)))
    known = series(client)
    assert statuses == {200, 204, 400, 401, 404, 405, 422}
    client._loop.run(each(rng.choice(KINDS)(rng) for _ in range(RANDOM)))
    assert series(client) - known == set()
    assert known <= series(client)
    assert len(known) < 1000
