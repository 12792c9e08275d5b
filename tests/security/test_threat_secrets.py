"""Secrets and user ids planted in every place of a request: no log line, error, answer or figure holds them."""

import asyncio
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from planted import reachable, requests
from pydantic import SecretStr

from service.engine.fake import FakeEngine
from service.engine.protocol import F16, I32
from service.observability.logging import LogFormat, open_logger
from service.runtime import open_runtime
from service.search.trie import build
from service.settings import Settings

CATALOGUE = made_catalogue()
ITEM = CATALOGUE.ids[0]
WORD = "a-word-that-is-planted-4711"
ADMIN, FEEDBACK, REDIS = "secret-of-the-admin", "secret-of-the-tokens", "secret-of-the-store"
SECRETS = (WORD, ADMIN, FEEDBACK, REDIS)


class Breaking(FakeEngine):
    """Fails as a bug would: with an exception that quotes what it worked on."""

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        if lengths.max() == 4:
            raise KeyError(WORD)
        return super().encode(codes, items, lengths)


@pytest.fixture(scope="module")
def log() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def client(log: StringIO) -> Iterator[Client]:
    chosen: dict[str, Any] = {
        "admin_token": SecretStr(ADMIN),
        "feedback_secret": SecretStr(FEEDBACK),
        "redis_url": SecretStr(f"redis://:{REDIS}@127.0.0.1:1"),
    }
    with Client(made_runtime(made_model(CATALOGUE, Breaking(build(CATALOGUE.sids))), log, **chosen)) as opened:
        yield opened


def test_what_is_planted_anywhere_is_told_nowhere(client: Client, log: StringIO) -> None:
    for method, path, rest in requests(WORD, ITEM):
        response = client.call(method, path, **rest)
        assert response.status_code < 500 or "/problems/store-unavailable" in response.text, (path, response.text)
        unless_quoted = response.text if response.status_code >= 400 else ""
        assert not [one for one in SECRETS[1:] if one in response.text + str(response.headers)]
        assert "Traceback" not in unless_quoted
        assert WORD not in str(response.headers), path
    assert len(log.getvalue().splitlines()) > 20
    assert not [one for one in SECRETS if one in log.getvalue()]
    assert not [one for one in SECRETS if one in client.figures()]


def test_a_right_token_in_the_wrong_place_is_told_nowhere(client: Client, log: StringIO) -> None:
    for place in (
        {"headers": {"X-API-Key": ADMIN, "X-Request-ID": f"{ADMIN} "}},
        {"headers": {"Authorization": f"Token {ADMIN}"}},
        {"params": {"token": ADMIN}},
        {"json": {"path": ADMIN}, "headers": {"Authorization": f"Bearer {ADMIN}"}},
    ):
        for path in ("/admin/bundles/made/reload", f"/admin/bundles/{ADMIN}/reload", f"/{ADMIN}"):
            response = client.call("POST", path, **place)
            assert 400 <= response.status_code < 500
            assert ADMIN not in response.text or path.partition("?")[0] in response.text
    assert ADMIN not in log.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_that_quotes_a_request_is_told_without_its_text(form: LogFormat) -> None:
    stream = StringIO()
    engine = Breaking(build(CATALOGUE.sids))
    runtime = open_runtime(Settings(), {"made": made_model(CATALOGUE, engine)}, open_logger(form, stream))
    with Client(runtime) as broken:
        response = broken.recommend(user_id=WORD, history=list(CATALOGUE.ids[:4]))
    assert response.status_code == 500
    assert response.json()["detail"] == "Something broke here; the log holds it under this request id."
    assert not [one for one in (WORD, "KeyError", "Traceback", ".py", "encode") if one in response.text]
    text = stream.getvalue()
    assert ("KeyError" in text, "encode" in text, response.headers["x-request-id"] in text) == (True, True, True)
    assert WORD not in text


def test_what_is_printed_of_the_application_holds_no_secret(client: Client) -> None:
    state = client.app.state.promise
    shown = f"{state!r} {client.runtime.settings!r} {client.app.user_middleware!r} {client.runtime.tokens!r}"
    assert not [one for one in SECRETS if one in shown]
    assert len(repr(state)) < 200


def test_no_user_id_stays_in_the_process() -> None:
    """Caches, histories, what is seen, what waits: everything that the application holds on to."""
    with Client(made_runtime(made_model(CATALOGUE))) as other:
        user = "".join(["user-", "who-", "leaves"])
        other.call("POST", "/events", json={"events": [{"user_id": user, "item_id": ITEM, "timestamp": 5.0}]})
        assert other.recommend(user_id=user).json()["history"]["used"] == 1
        other._loop.run(asyncio.sleep(0.01))
        held = reachable(other.runtime, other.app.state.promise)
    assert any(ITEM in text for text in held), "what there is is found"
    assert not [text for text in held if user in text]
