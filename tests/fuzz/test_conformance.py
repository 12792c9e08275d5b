"""Whatever is sent, answers are those of the OpenAPI document: statuses, types, schemas, headers; no error of ours.

In the long form (make fuzz) tens of thousands of cases, also over the shipped bundle; here a few for every operation.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bulk import Bulk, cases_of
from conforming import KEY, TOKEN, Api
from fake_service import Client, made_runtime
from redis_server import RedisServer
from schemathesis import GenerationMode

from service.loading import load_model
from service.settings import SHIPPED_BUNDLE, Settings

EXPERIMENTS = """
experiments:
  - name: width
    buckets: [{name: control, weight: 0.5}, {name: wide, weight: 0.5, tier: k20}]
"""
World = Callable[[Path], AbstractContextManager[dict[str, Any]]]


def administered(folder: Path) -> AbstractContextManager[dict[str, Any]]:
    """With a token, an experiment and the pages; events go to a file."""
    (folder / "experiments.yaml").write_text(EXPERIMENTS)
    files = {"experiments": folder / "experiments.yaml", "event_log": folder / "events.jsonl"}
    return nullcontext({"admin_token": TOKEN, **files})


def bare(_: Path) -> AbstractContextManager[dict[str, Any]]:
    """No token, no pages, no experiment; everything in memory."""
    return nullcontext({"playground": False})


@contextmanager
def stored(_: Path) -> Iterator[dict[str, Any]]:
    """Histories, events and encodings in a Redis."""
    with RedisServer() as server:
        yield {"admin_token": TOKEN, "redis_url": server.url, "redis_timeout_ms": 10_000}


def keyed(folder: Path) -> AbstractContextManager[dict[str, Any]]:
    """For callers with a key only, and nothing else is theirs to choose."""
    (folder / "keys.yaml").write_text(f"- {{name: shop, sha256: {sha256(KEY.encode()).hexdigest()}}}\n")
    return nullcontext({"admin_token": TOKEN, "api_keys": folder / "keys.yaml"})


def shipped(_: Path) -> AbstractContextManager[dict[str, Any]]:
    """The network that a clone comes with."""
    return nullcontext({"admin_token": TOKEN, "model": load_model(SHIPPED_BUNDLE, Settings())})


WORLDS = {"administered": (administered, 1, 0.3), "bare": (bare, 1, 0.12)}
LONG = {"stored": (stored, 1, 0.12), "keyed": (keyed, 1, 0.03), "shipped": (shipped, 1, 0.02)}


def known(path: str, parameter: str) -> str | None:
    """A name that there is."""
    if parameter == "version":
        return "1"
    return ("width" if path.startswith("/experiments") else "made") if parameter == "name" else None


@pytest.mark.parametrize("name", [*WORLDS, *(pytest.param(name, marks=pytest.mark.fuzz) for name in LONG)])
def test_answers_are_what_the_document_says(
    name: str, tmp_path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    world, short, share = (WORLDS | LONG)[name]
    with world(tmp_path) as settings, Client(made_runtime(**settings)) as client:
        api = Api(client, known)
        _try_edges(api, cases_of(pytestconfig, 2 * short, 1))
        _try_choices(api, Bulk(pytestconfig), short, share)
        if pytestconfig.getoption("--cases", None):
            with capsys.disabled():
                print(_table(name, api))  # noqa: T201 - the figures of the long form


def _try_edges(api: Api, most: int) -> None:
    for operation in api.operations():
        for _, case in zip(range(most), api.edges(operation), strict=False):
            api.check(case)


def _try_choices(api: Api, bulk: Bulk, short: int, share: float) -> None:
    found = [
        cases
        for operation in api.operations()
        for mode in GenerationMode
        if (cases := api.cases(operation, mode)) is not None
    ]
    for cases in found:
        bulk(short, share / len(found), cases, api.check)


def _table(name: str, api: Api) -> str:
    lines = [f"{label:60} {status} {count:6,}" for (label, status), count in sorted(api.answers.items())]
    return "\n".join(["", f"{name}: {sum(api.answers.values()):,} cases", *lines])


def test_a_draining_service_says_so_in_the_form_of_the_document() -> None:
    with Client(made_runtime(admin_token=TOKEN)) as client:
        document = client.call("GET", "/openapi.json").json()
        client.call("POST", "/admin/drain", headers={"Authorization": f"Bearer {TOKEN}"})
        for path in ("/health/ready", "/v2/health/ready", "/v2/models/made/ready"):
            response = client.call("GET", path)
            assert response.status_code == 503
            template = path.replace("made", "{name}")
            schema = document["paths"][template]["get"]["responses"]["503"]["content"]["application/json"]["schema"]
            fields = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
            assert response.json().keys() <= fields.keys()
