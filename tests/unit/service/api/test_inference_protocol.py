"""The Open Inference Protocol's names for health and models."""

from collections.abc import Iterator

import pytest
from fake_service import Client, made_runtime

MODEL = "/v2/models/made"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime()) as opened:
        yield opened


def test_what_the_server_is(client: Client) -> None:
    body = client.call("GET", "/v2").json()
    assert (body["name"], body["extensions"]) == ("promise", [])
    assert body["version"].count(".") == 2


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
def test_what_a_model_is(client: Client, path: str) -> None:
    body = client.call("GET", path).json()
    assert (body["name"], body["versions"], body["platform"]) == ("made", ["1"], "onnxruntime_onnx")
    assert {"name": "history", "datatype": "BYTES", "shape": [-1]} in body["inputs"]
    assert [tensor["name"] for tensor in body["outputs"]] == ["item_id", "score"]


@pytest.mark.parametrize("path", [f"{MODEL}/ready", f"{MODEL}/versions/1/ready"])
def test_whether_a_model_is_ready(client: Client, path: str) -> None:
    assert client.call("GET", path).json() == {"name": "made", "ready": True}


def test_health_says_the_same_as_ours(client: Client) -> None:
    assert client.call("GET", "/v2/health/live").json() == {"live": True}
    assert client.call("GET", "/v2/health/ready").json() == {"ready": True}
    client.runtime.lifecycle.draining = True
    try:
        for path in ("/v2/health/ready", f"{MODEL}/ready"):
            response = client.call("GET", path)
            assert (response.status_code, response.json()["ready"]) == (503, False)
        assert client.call("GET", "/v2/health/live").status_code == 200
    finally:
        client.runtime.lifecycle.draining = False
