"""The Ray Serve application without a cluster: what a replica does when Ray calls it. With one: tests/ray."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fake_service import made_model

from loadtest.bench.redis_server import free_port
from service.engine.bundle import BundleError
from service.errors import SettingsError, StartError
from service.observability.logging import Logger
from service.runtime import Runtime, open_runtime
from service.settings import Settings

ray_serve = pytest.importorskip("service.ray_serve", reason="the extra ray is not installed")
Replica = ray_serve.Replica
Use = Callable[[Any, str], Awaitable[None]]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """PROMISE_PORT of a replica of a made catalogue, as its node's environment would have it."""
    found = free_port()
    for name, value in {"HOST": "127.0.0.1", "PORT": found, "DRAIN_S": 0, "MAX_CONCURRENT": 40}.items():
        monkeypatch.setenv(f"PROMISE_{name}", str(value))

    def made(chosen: Settings, logger: Logger) -> Runtime:
        return open_runtime(chosen, {"made": made_model()}, logger)

    monkeypatch.setattr(ray_serve, "open_runtime", made)
    return found


def lived(use: Use) -> None:
    """A replica's life in the order in which Ray calls it; `use` gets it and the address of its own door."""

    async def life() -> None:
        replica = Replica()
        app = replica.__serve_build_asgi_app__()
        async with app.router.lifespan_context(app):
            await replica.reconfigure({"bundles": {}})
            for _ in range(100):
                if replica._server.started:
                    break
                await asyncio.sleep(0.02)
            address = replica._server.servers[0].sockets[0].getsockname()
            await use(replica, "http://{}:{}".format(*address))
        assert replica._serving.done()

    with ThreadPoolExecutor(1) as aside:  # in the main thread the server would take signals, and end the tests by one
        aside.submit(asyncio.run, life()).result()


def test_a_replica_answers_at_a_door_of_its_own(port: int) -> None:
    async def use(replica: Any, url: str) -> None:
        await replica.check_health()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/health/ready")).status_code == 200
            answer = await client.post("/recommend", json={"k": 3})
            assert len(answer.json()["items"]) == 3
            assert 'promise_requests_total{bucket="default",status="200"}' in (await client.get("/metrics")).text
        assert int(url.rpartition(":")[2]) > port
        assert replica.record_autoscaling_stats() == {"in_flight": 0.0}

    lived(use)


def test_two_replicas_of_a_node_have_two_doors(port: int) -> None:
    async def outer(_: Any, first: str) -> None:
        other = Replica()
        app = other.__serve_build_asgi_app__()
        async with app.router.lifespan_context(app):
            found = other._ears()
            assert found[0].getsockname()[1] > int(first.rpartition(":")[2]) > port

    lived(outer)


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize(("slot", "why"), [("made", "manifest"), ("other", "no bundle 'other'")])
def test_what_cannot_be_served_leaves_the_former_bundle(
    slot: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(replica: Any, url: str) -> None:
        told: list[str] = []
        monkeypatch.setattr(
            replica._runtime.logger, "error", lambda event, **more: told.extend((event, more["detail"]))
        )
        await replica.reconfigure({"bundles": {slot: str(tmp_path)}})
        assert told[0] == "upgrade-refused"
        assert why in told[1]
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.post("/recommend", json={"k": 1})).json()["model"]["version"] == "1"

    lived(use)


@pytest.mark.usefixtures("port")
def test_a_replica_that_could_not_serve_what_it_should_does_not_start(tmp_path: Path) -> None:
    async def start() -> None:
        replica = Replica()
        app = replica.__serve_build_asgi_app__()
        async with app.router.lifespan_context(app):
            with pytest.raises(BundleError):
                await replica.reconfigure({"bundles": {"made": str(tmp_path)}})

    asyncio.run(start())


@pytest.mark.usefixtures("port")
def test_a_device_that_hangs_and_a_closed_door_are_told() -> None:
    async def use(replica: Any, _: str) -> None:
        app = replica._application
        sound, app.state.promise = app.state.promise, replace(app.state.promise, device_busy_s=lambda: 31.0)
        with pytest.raises(RuntimeError, match="busy for 31"):
            await replica.check_health()
        app.state.promise = sound
        await replica.check_health()
        replica._server.should_exit = True
        await replica._serving
        with pytest.raises(RuntimeError, match="own door is closed"):
            await replica.check_health()

    lived(use)


def test_no_port_is_a_sentence(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        raise StartError("taken")

    async def use(replica: Any, _: str) -> None:
        monkeypatch.setattr(ray_serve, "ears", taken)
        with pytest.raises(StartError, match=f"ports above {port} is free"):
            replica._ears()

    lived(use)


@pytest.mark.usefixtures("port")
def test_a_deployment_follows_the_places_of_a_replica() -> None:
    scale = ray_serve.Scale(min_replicas=2, max_replicas=6, gpus=0.5)
    found = ray_serve.deployed(scale)
    config = found._deployment_config
    assert (found.max_ongoing_requests, found.max_queued_requests) == (40, 40)
    assert found.user_config == {"bundles": {}}
    assert found.ray_actor_options["num_gpus"] == 0.5
    assert config.autoscaling_config.get_target_ongoing_requests() == 10
    assert config.request_router_config.request_router_class == ray_serve.ROUTER
    assert config.backpressure_config.retry_after_s == 1


def test_what_cannot_be_deployed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="replicas"):
        ray_serve.Scale(replicas=2)
    monkeypatch.setenv("PROMISE_PROT", "1")
    with pytest.raises(SettingsError, match="PROMISE_PORT"):
        ray_serve.deployed(ray_serve.Scale())


@pytest.mark.parametrize(
    ("inside", "queued", "counted", "wanted"),
    [
        ({}, 0, 0, 0),
        ({"a": 10.0, "b": 0.0}, 0, 5, 0.5),
        ({"a": 40.0, "b": 20.0}, 20, 30, 4),
        ({}, 0, 60, 3),
    ],
)
def test_requests_inside_and_waiting_want_replicas(
    inside: dict[str, float], queued: int, counted: int, wanted: float
) -> None:
    context = SimpleNamespace(
        aggregated_metrics={"in_flight": inside},
        total_queued_requests=float(queued),
        total_num_requests=float(counted),
        config=SimpleNamespace(get_target_ongoing_requests=lambda: 20.0),
    )
    assert ray_serve.replicas_wanted(cast(Any, context)) == (wanted, {})
