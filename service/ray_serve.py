"""The service as a Ray Serve application: Ray places, scales, checks and upgrades replicas, service.app answers.

    serve run service.ray_serve:application max_replicas=4 gpus=0.5

Needs the extra `ray`. Every replica has two doors. Ray's proxy (port 8000 of every node) leads to all replicas and
costs more than a search; with X-Session-Id a user keeps a replica there. The replica's own door is the server that
`promise serve` runs, on the first free port above PROMISE_PORT of its node: Prometheus asks there, and so may a load
balancer that hashes users. Settings are the PROMISE_ variables of the node, or of the application's runtime_env.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from service import settings
from service.api.routes.health import good, live_checks
from service.api.state import State
from service.app import create_app
from service.errors import NotFoundError, StartError
from service.greeting import Greeting
from service.observability.logging import open_logger
from service.runtime import open_runtime
from service.server import ears, server_of

DEPLOYMENT = "promise"
BUSY = 1 / 4  # of a replica's places: about a batch on the device and one waiting, where auto begins to lower tiers
DOORS = 64  # ports looked at above PROMISE_PORT
MARGIN_S = 5.0  # of Ray's own steps around a shutdown
ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
IN_FLIGHT = "in_flight"


class Scale(BaseModel):
    """Arguments of `application`; of one replica `cpus` and `gpus`, which may be fractions.

    `up_s`, `down_s`: how long load must last before replicas are added or taken away; it is averaged over `window_s`.
    """

    model_config = ConfigDict(extra="forbid")

    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=1.0, ge=0)
    gpus: float = Field(default=0.0, ge=0)
    up_s: float = Field(default=10.0, ge=0)
    down_s: float = Field(default=300.0, ge=0)
    window_s: float = Field(default=20.0, gt=10)


class Replica:
    """One runtime, one application, both doors."""

    def __init__(self) -> None:
        chosen = settings.load()
        lines = sys.__stdout__ or sys.stdout  # Ray's own would wrap every line once more
        self._runtime = open_runtime(chosen, logger=open_logger(chosen.log_format, lines))
        self._application = create_app(self._runtime)
        unread = Greeting(chosen, StringIO())
        self._server = server_of(self._runtime, self._application, unread, lifespan="off")
        self._opened = contextlib.ExitStack()
        self._serving: asyncio.Task[None] | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Ray runs its lifespan, at the end when it sends nothing more."""
        inner = self._application.router.lifespan_context

        @contextlib.asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
            async with inner(app) as state:
                yield state
                await self._leave()

        self._application.router.lifespan_context = lifespan
        return self._application

    async def reconfigure(self, config: Mapping[str, Mapping[str, str]]) -> None:
        """Serve the folders that `config` names by slot; called before the first request and at every upgrade.

        A folder that holds no bundle is told in the log then, and the former bundle goes on: raising would have Ray
        kill a replica that serves.

        Raises:
            StartError, NotFoundError: before the first request, a folder that cannot be served here, or no such slot.
        """
        for slot, folder in config.get("bundles", {}).items():
            try:
                await self._serve(slot, Path(folder))
            except (StartError, NotFoundError) as error:
                if self._serving is None:
                    raise
                self._runtime.logger.error("upgrade-refused", bundle=slot, path=folder, detail=error.detail)
        if self._serving is None:
            self._serving = asyncio.create_task(self._server.serve(sockets=self._ears()))

    async def check_health(self) -> None:
        """Raises RuntimeError: the process is not worth keeping, as /health/live would say."""
        checks = live_checks(self._state)
        if not good(checks):
            raise RuntimeError("; ".join(check.detail for check in checks.values() if not check.ok))
        if self._serving is not None and self._serving.done():
            raise RuntimeError("the replica's own door is closed")

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Requests in the house, through either door."""
        return {IN_FLIGHT: float(self._state.admission.active)}

    async def _serve(self, slot: str, folder: Path) -> None:
        bundles = self._runtime.bundles
        if folder != bundles.get(slot).path:
            served = await bundles.reload(slot, folder)
            self._runtime.logger.info("upgraded", bundle=slot, model=served.tag)

    async def _leave(self) -> None:
        """The own door drains as the server does on SIGTERM; the runtime closes after that."""
        if self._serving is not None:
            self._server.handle_exit(signal.SIGTERM, None)
            await self._serving
        self._opened.close()

    @property
    def _state(self) -> State:
        state: State = self._application.state.promise
        return state

    def _ears(self) -> list[socket.socket]:
        chosen = self._runtime.settings
        ports = range(chosen.port + 1, min(chosen.port + 1 + DOORS, 1 << 16)) if chosen.port else (0,)
        for port in ports:
            with contextlib.suppress(StartError):
                found = ears(self._opened, chosen.host, port)
                self._runtime.logger.info("door", port=found[0].getsockname()[1])
                return found
        raise StartError(f"PROMISE_PORT: none of the {DOORS} ports above {chosen.port} is free for a replica.")


def replicas_wanted(context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
    """As many replicas as keep each at its target of requests: those inside, and those that wait at Ray's proxies.

    What Ray counts by itself, of its own proxies alone, stands in while a busy replica does not tell.
    """
    inside = (context.aggregated_metrics or {}).get("in_flight", {})
    requests = max(sum(inside.values()) + context.total_queued_requests, context.total_num_requests)
    return requests / cast(AutoscalingConfig, context.config).get_target_ongoing_requests(), {}


def application(scale: Scale) -> serve.Application:
    """What `serve run` and a RayService start; raises as `deployed`."""
    bound: serve.Application = deployed(scale).bind()
    return bound


def deployed(scale: Scale) -> serve.Deployment:
    """The deployment with these arguments.

    A replica takes as many requests from Ray as it has places; one that is full passes a user on to the next on the
    ring. As many again may wait at a proxy, then it answers 503 with Retry-After.

    Raises:
        SettingsError: a PROMISE_ variable that does not fit.
    """
    chosen = settings.load()
    autoscaling = {
        "min_replicas": scale.min_replicas,
        "max_replicas": scale.max_replicas,
        "target_ongoing_requests": max(1.0, BUSY * chosen.max_concurrent),
        "upscale_delay_s": scale.up_s,
        "downscale_delay_s": scale.down_s,
        "look_back_period_s": scale.window_s,
        "policy": {"policy_function": f"{__name__}:replicas_wanted"},
    }
    found: serve.Deployment = serve.deployment(name=DEPLOYMENT)(serve.ingress()(Replica)).options(
        autoscaling_config=autoscaling,
        max_ongoing_requests=chosen.max_concurrent,
        max_queued_requests=chosen.max_concurrent,
        backpressure_config={"status_code": 503, "retry_after_s": 1},
        request_router_config={"request_router_class": ROUTER},
        user_config={"bundles": {}},  # folders by slot; a change of this alone restarts nobody
        ray_actor_options={"num_cpus": scale.cpus, "num_gpus": scale.gpus},
        health_check_period_s=5,
        health_check_timeout_s=10,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=chosen.drain_s + chosen.grace_s + MARGIN_S,
        logging_config={"enable_access_log": False},  # the service writes a line for every request
    )
    return found
