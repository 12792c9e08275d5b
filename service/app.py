"""The ASGI application over an open runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from service.api import health, problems, routes
from service.api.admission import Admission
from service.api.middleware import BodyLimit, Observe
from service.api.schemas import ModelName
from service.api.state import State
from service.errors import PromiseError
from service.runtime import Runtime


def create_app(runtime: Runtime) -> FastAPI:
    """Routes, middleware and error handlers; the runtime is closed when the application's lifespan ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        runtime.close()

    state = _state(runtime)
    app = FastAPI(
        title="Promise",
        summary="An online generative recommender whose process reward model buys accuracy with serving-time compute",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        middleware=[
            Middleware(Observe, state=state),
            Middleware(BodyLimit, limit=runtime.settings.max_body_bytes),
        ],
        exception_handlers={
            PromiseError: problems.on_error,
            HTTPException: problems.on_http_error,
            RequestValidationError: problems.on_invalid,
        },
    )
    app.state.promise = state
    app.include_router(routes.router)
    app.include_router(health.router)
    return app


def _state(runtime: Runtime) -> State:
    model, settings = runtime.model, runtime.settings
    return State(
        recommender=runtime.recommender,
        model=ModelName(name=model.name, version=model.version),
        providers=model.engine.providers,
        admission=Admission(settings.max_concurrent),
        meter=runtime.metrics,
        log=runtime.logger,
        is_draining=lambda: runtime.lifecycle.draining,
        device_busy_s=runtime.device.busy_s,
        ab_header=settings.ab_header,
        timeout_ms=settings.request_timeout_ms,
    )
