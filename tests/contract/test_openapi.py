"""The API's document: a snapshot of all of it, an example for every body, and examples that work.

After a change that is meant, this writes the snapshot anew:
    PYTHONPATH=tests .venv/bin/python tests/contract/test_openapi.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_service import Client, made_runtime

from service.api.docs import example_of

SNAPSHOT = Path(__file__).with_name("openapi.json")
TOKEN = "a-token-of-the-admin"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
PROBLEM = "application/problem+json"
# Examples name things of the shipped bundle and a token of another process, which the made service does not know.
UNKNOWN_HERE = {
    ("post", "/feedback"): 400,
    ("get", "/experiments/{name}/report"): 404,
    ("get", "/v2/models/{name}"): 404,
    ("get", "/v2/models/{name}/versions/{version}"): 404,
    ("get", "/v2/models/{name}/ready"): 404,
    ("get", "/v2/models/{name}/versions/{version}/ready"): 404,
    ("post", "/admin/bundles/{name}/reload"): 422,
    ("post", "/admin/bundles/{name}/rollback"): 404,
    ("post", "/admin/bundles/{name}/catalogue"): 404,
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(admin_token=TOKEN)) as opened:
        yield opened


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", "/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_the_document_is_the_one_that_was_reviewed(document: dict[str, Any]) -> None:
    assert written(document) == SNAPSHOT.read_text("utf-8"), "see the first lines of this file"


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert set(operation["tags"]) <= known, (method, path)
        assert len(operation["tags"]) == 1, (method, path)
        for parameter in operation.get("parameters", []):
            shown = parameter.get("example") or parameter["schema"].get("examples") or parameter.get("examples")
            assert shown, (method, path, parameter["name"])
        secured = path.startswith("/admin")
        assert ("security" in operation) == secured, (method, path)


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            for media in body.get("content", {}).values():
                assert example_of(media, document) is not None, (method, path, body["description"])


def test_errors_are_problems_with_their_status(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400" and not path.startswith(("/v2", "/health")):
                assert list(response["content"]) == [PROBLEM], (method, path, status)
                assert response["content"][PROBLEM]["example"]["status"] == int(status), (method, path, status)
        if "requestBody" in operation:
            assert {"413", "415", "422"} <= set(operation["responses"]), (method, path)


def test_every_example_is_answered_as_the_document_says(client: Client, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        url = path
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                shown = parameter["schema"].get("examples") or list(parameter["examples"])
                url = url.replace(f"{{{parameter['name']}}}", str(shown[0]))
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        body = None if media is None else example_of(media, document)
        response = client.call(method.upper(), url, json=body, headers=HEADERS)
        expected = UNKNOWN_HERE.get((method, path), response.status_code)
        assert response.status_code == expected, (method, path, response.text)
        assert str(response.status_code) in operation["responses"], (method, path, response.text)
        if (method, path) not in UNKNOWN_HERE:
            assert response.status_code < 300, (method, path, response.text)


if __name__ == "__main__":
    with Client(made_runtime()) as opened:
        SNAPSHOT.write_text(written(opened.call("GET", "/openapi.json").json()), "utf-8")
