"""A made catalogue with the fake engine behind the real service; run as a program it serves until a signal."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from types import TracebackType
from typing import Any

import httpx
from made import made_catalogue
from pydantic import SecretStr

from service.app import create_app
from service.engine.catalogue import Catalogue
from service.engine.fake import FakeEngine
from service.engine.protocol import F16, I32
from service.experiments.assignment import Assignments
from service.loading import Model
from service.observability.logging import open_logger
from service.recommender import Answer, Ask
from service.runtime import Runtime, open_runtime
from service.search.guided import Deadline
from service.search.plan import Rule
from service.search.trie import build
from service.server import serve
from service.settings import Settings


def made_model(catalogue: Catalogue | None = None, engine: FakeEngine | None = None, rule: Rule = Rule()) -> Model:  # noqa: B008 - frozen
    catalogue = catalogue or made_catalogue()
    trie = build(catalogue.sids)
    engine = engine or FakeEngine(trie)
    return Model("made", "1", rule, catalogue, trie, engine, engine.history_limit, engine.has_scan)


def made_runtime(model: Model | None = None, log: StringIO | None = None, **overrides: Any) -> Runtime:
    logger = open_logger("json", log or StringIO())
    return open_runtime(Settings(**overrides), {"made": model or made_model()}, logger)


@contextmanager
def opened(model: Model | None = None, **overrides: Any) -> Iterator[Runtime]:
    """A runtime to call directly, without its background work."""
    runtime = made_runtime(model, **overrides)
    try:
        yield runtime
    finally:
        asyncio.run(runtime.close())


def asked(runtime: Runtime, ask: Ask, deadline: Deadline | None = None, bucket: Assignments | None = None) -> Answer:
    """The recommender's answer, on an event loop of its own."""
    return asyncio.run(runtime.recommender.recommend(ask, bucket or Assignments(), deadline or Deadline(), "a-request"))


class Client:
    """Calls an application in this process, without a socket; closes the runtime at the end."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.app = create_app(runtime)

    def __enter__(self) -> "Client":
        self._loop = asyncio.Runner()
        self._loop.run(self.runtime.start())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://made")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._loop.run(self._http.aclose())
        self._loop.run(self.runtime.close())
        self._loop.close()

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._loop.run(self._http.request(method, path, **options))

    def recommend(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        return self.call("POST", "/recommend", json=body, headers=headers)

    def figures(self) -> str:
        return self.call("GET", "/metrics").text


class SlowEngine(FakeEngine):
    """A fake engine whose encoder takes its time."""

    seconds = 0.0

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        time.sleep(self.seconds)
        return super().encode(codes, items, lengths)


if __name__ == "__main__":
    port, drain_s, encode_s = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    made = made_catalogue()
    engine = SlowEngine(build(made.sids))
    admin = SecretStr(sys.argv[4]) if len(sys.argv) > 4 else None
    chosen = Settings(host="127.0.0.1", port=port, drain_s=drain_s, grace_s=10, cache_mb=0, admin_token=admin)
    runtime = open_runtime(chosen, {"made": made_model(made, engine)})
    engine.seconds = encode_s
    serve(runtime)
