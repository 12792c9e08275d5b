"""The ASGI application over an open runtime."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from service.api import assets, problems
from service.api.admission import Admission
from service.api.callers import Mode
from service.api.desk import Desk
from service.api.direct import Direct
from service.api.forgetting import Forgetting
from service.api.gate import Gate
from service.api.keyed import Keyed
from service.api.live_keys import LiveKeys
from service.api.middleware import BodyLimit, Observe
from service.api.pulse import Pulse
from service.api.reports import Reports
from service.api.routes import admin, catalogue, docs, events, experiments, figures, health, inference, page, recommend
from service.api.state import State
from service.api.tracing import telemetry
from service.errors import PromiseError
from service.runtime import Runtime, told

REPORT_EVERY_S = 60.0
TAGS = [
    {"name": "recommend", "description": "The next items for a history."},
    {"name": "events", "description": "What users did: stored histories and feedback."},
    {"name": "experiments", "description": "Buckets, and what they changed."},
    {"name": "catalogue", "description": "What there is to recommend, for people. Off with PROMISE_PLAYGROUND=false."},
    {"name": "health", "description": "For whoever starts, stops and feeds this process."},
    {"name": "inference protocol", "description": "The same under the names of the Open Inference Protocol v2."},
    {"name": "admin", "description": "For operators, with the admin token."},
]


def create_app(runtime: Runtime) -> FastAPI:
    """Routes, middleware and error handlers; the runtime is started and closed with the application's lifespan."""
    state = _state(runtime)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        docs.ready(app)  # takes a while: requests should not wait for the first reader
        await runtime.start()
        watching = asyncio.gather(
            state.reports.watch(lambda: runtime.experiments.current, REPORT_EVERY_S),
            state.pulse.beat(),
            *_watched_keys(state, runtime),
        )
        watching.add_done_callback(lambda task: told(task, runtime.logger))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await runtime.close()

    app = FastAPI(
        title="Promise",
        summary="An online generative recommender whose process reward model buys accuracy with serving-time compute",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        openapi_tags=[tag for tag in TAGS if tag["name"] != "catalogue" or runtime.settings.playground],
        generate_unique_id_function=lambda route: route.name,
        telemetry=telemetry(runtime.settings.traces),
        middleware=[
            Middleware(Observe, state=state),
            *_doors(state, runtime.settings.overrides),
            Middleware(Gate, state=state),
            Middleware(BodyLimit, limit=runtime.settings.max_body_bytes),
            *(() if runtime.settings.traces else (Middleware(Direct, state=state),)),
        ],
        exception_handlers={
            PromiseError: problems.on_error,
            HTTPException: problems.on_http_error,
            RequestValidationError: problems.on_invalid,
        },
    )
    app.state.promise = state
    shown = (catalogue, page) if runtime.settings.playground else ()
    for room in (recommend, events, experiments, *shown, health, inference, admin, figures, docs):
        app.include_router(room.router)
    return app


def _doors(state: State, overrides: Mode | None) -> tuple[Middleware, ...]:
    """None where whoever reaches the port may ask for anything."""
    mode = overrides or ("everyone" if state.keys is None else "keys")
    open_to_all = state.keys is None and mode == "everyone"
    return () if open_to_all else (Middleware(Keyed, state=state, keys=state.keys, overrides=mode),)


def _watched_keys(state: State, runtime: Runtime) -> tuple[Coroutine[Any, Any, None], ...]:
    if (keys := state.keys) is None:
        return ()
    logger = runtime.logger
    return (
        keys.watch(
            runtime.settings.reload_s,
            lambda: logger.info("keys", names=[key.name for key in keys.keys]),
            lambda why: logger.error("bad-keys", detail=why),
        ),
    )


def _state(runtime: Runtime) -> State:
    settings, metrics = runtime.settings, runtime.metrics
    keys = None if settings.api_keys is None else LiveKeys(settings.api_keys)
    metrics.watch("promise_keys_reload_ok", lambda: keys is None or keys.last_error is None)
    admission = Admission(settings.max_concurrent, metrics.refused)
    metrics.watch("promise_requests_in_flight", lambda: admission.active)

    def drain() -> None:
        runtime.lifecycle.draining = True

    reports, token = Reports(runtime.events, metrics.publish), settings.admin_token
    return State(
        recommender=runtime.recommender,
        bundles=runtime.bundles,
        experiments=runtime.experiments,
        reports=reports,
        tokens=runtime.tokens,
        feedback=runtime.feedback,
        forgetting=Forgetting(runtime.histories, runtime.tokens, runtime.events, runtime.exposures, reports),
        histories=runtime.histories,
        admission=admission,
        meter=metrics,
        log=runtime.logger,
        queue_depth=lambda: runtime.batcher.depth,
        on_device=lambda: runtime.batcher.running,
        device_busy_s=runtime.batcher.busy_s,
        is_draining=lambda: runtime.lifecycle.draining,
        drain=drain,
        providers=runtime.bundles.get().searcher.engine.providers,
        clock=time.time,
        ab_header=settings.ab_header,
        timeout_ms=settings.request_timeout_ms,
        default_tier=settings.default_tier,
        admin_token=None if token is None else token.get_secret_value(),
        keys=keys,
        pulse=Pulse(),
        bundle_parents=tuple(folder.resolve().parent for folder in settings.bundle),
        assets=assets.read() if settings.playground else {},
        desk=Desk(),
    )
