"""What the running parts keep anyway is on the exposition, under the names that alerts and the dashboard ask for."""

from collections.abc import Iterator

import pytest
from fake_service import Client, made_runtime

from service.observability.watched import MEANINGS

ADMIN = "a-token-of-the-admin"
WITH_REDIS = {name for name in MEANINGS if name.startswith(("promise_cache_write", "promise_cache_breaker"))}


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(made_runtime(max_concurrent=7, target_ms=40, request_timeout_ms=900, admin_token=ADMIN)) as opened:
        yield opened


def figures(client: Client) -> dict[str, float]:
    pairs = (line.rpartition(" ") for line in client.figures().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_everything_that_has_a_meaning_is_shown(client: Client) -> None:
    assert set(MEANINGS) - WITH_REDIS <= set(figures(client))


def test_limits_are_those_of_the_settings(client: Client) -> None:
    shown = figures(client)
    assert shown["promise_requests_limit"] == 7
    assert shown["promise_target_seconds"] == 0.04
    assert shown["promise_deadline_seconds"] == 0.9


def test_an_idle_process_is_idle(client: Client) -> None:
    shown = figures(client)
    assert shown["promise_device_busy_seconds"] == 0
    assert shown["promise_budget_ceiling_ratio"] == 1
    assert shown["promise_budget_frozen"] == 0


def test_a_frozen_budget_and_a_dead_device_thread_are_shown(client: Client) -> None:
    client.call("PUT", "/admin/budget", json={"tier": "k10"}, headers={"Authorization": f"Bearer {ADMIN}"})
    client.runtime.batcher.close()
    shown = figures(client)
    assert shown["promise_budget_frozen"] == 1
    assert shown["promise_device_busy_seconds"] == float("inf")
