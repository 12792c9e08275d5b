"""Guessing the admin token: counted, without a hint in text or headers, and no way to lock the operator out."""

from collections.abc import Iterator

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime

TOKEN = "a-token-of-the-admin"
GUESSES = 50


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(made_runtime(made_model(), admin_token=TOKEN)) as opened:
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_guesses_are_counted_and_lock_nobody_out(client: Client) -> None:
    for number in range(GUESSES):
        response = client.call("GET", "/admin/bundles", headers=bearer(f"guess {number}"))
        assert "guess" not in assert_problem(response, 401, "unauthorized")["detail"]
    assert client.call("GET", "/admin/bundles", headers=bearer(TOKEN)).status_code == 200
    assert f'promise_denied_total{{reason="admin"}} {GUESSES}.0' in client.figures()


def test_the_answer_to_a_nearly_right_token_is_that_to_a_wrong_one(client: Client) -> None:
    found = [client.call("GET", "/admin/budget", headers=bearer(one)).json() for one in ("x", TOKEN[:-1], TOKEN + "x")]
    for body in found:
        body.pop("request_id")
    assert found[0] == found[1] == found[2]
