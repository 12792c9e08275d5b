"""The names that the Open Inference Protocol v2 has for health and models, for tools that look for them."""

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Response

from service.api import described
from service.api.dependencies import StateOf
from service.api.routes.health import good, live_checks, ready_checks
from service.api.schemas.inference import Live, ModelMetadata, ModelReady, Ready, ServerMetadata, Tensor
from service.api.state import State
from service.errors import NotFoundError
from service.served import Served

router = APIRouter(prefix="/v2", tags=["inference protocol"])

PACKAGE = "promise-recommender"
ANY = [-1]
CALLER = described.protocol_errors(*described.CALLER)
UNKNOWN = CALLER | described.protocol_errors((NotFoundError, "There is no such model or version"), described.INVALID)
NOT_READY: described.Responses = {503: {"description": "Not ready", "model": Ready}}
MODEL_NOT_READY: described.Responses = {503: {"description": "Not ready", "model": ModelReady}}

ModelPath = Annotated[str, Path(min_length=1, max_length=256, examples=["beauty"])]
VersionPath = Annotated[str, Path(min_length=1, max_length=256, examples=["1.0.0"])]


@router.get("", responses=CALLER, summary="What this server is")
async def server() -> ServerMetadata:
    return ServerMetadata(name="promise", version=version(PACKAGE), extensions=[])


@router.get("/health/live", responses=NOT_READY, summary="Is the process worth keeping?")
async def server_live(state: StateOf, response: Response) -> Live:
    alive = good(live_checks(state))
    response.status_code = 200 if alive else 503
    return Live(live=alive)


@router.get("/health/ready", responses=NOT_READY, summary="Should it get traffic?")
async def server_ready(state: StateOf, response: Response) -> Ready:
    fit = good(ready_checks(state))
    response.status_code = 200 if fit else 503
    return Ready(ready=fit)


@router.get("/models/{name}", responses=UNKNOWN, summary="A bundle being served")
async def model(name: ModelPath, state: StateOf) -> ModelMetadata:
    return _metadata(_served(state, name))


@router.get("/models/{name}/versions/{version}", responses=UNKNOWN, summary="One version of it")
async def model_version(name: ModelPath, version: VersionPath, state: StateOf) -> ModelMetadata:
    return _metadata(_served(state, name, version))


@router.get("/models/{name}/ready", responses=UNKNOWN | MODEL_NOT_READY, summary="Does it answer?")
async def model_ready(name: ModelPath, state: StateOf, response: Response) -> ModelReady:
    return _ready(_served(state, name), state, response)


@router.get("/models/{name}/versions/{version}/ready", responses=UNKNOWN | MODEL_NOT_READY, summary="Does this one?")
async def model_version_ready(name: ModelPath, version: VersionPath, state: StateOf, response: Response) -> ModelReady:
    return _ready(_served(state, name, version), state, response)


def _served(state: State, name: str, version: str | None = None) -> Served:
    """What serves under this name, a bundle's own or that of its slot.

    Raises:
        NotFoundError: nothing does, or it is another version.
    """
    for served in map(state.bundles.get, state.bundles.names):
        if name in (served.slot, served.name) and version in (None, served.version):
            return served
    raise NotFoundError("No such model, or no such version of it, is being served.")


def _metadata(served: Served) -> ModelMetadata:
    return ModelMetadata(
        name=served.name,
        versions=[served.version],
        platform="onnxruntime_onnx",
        inputs=[Tensor(name="history", datatype="BYTES", shape=ANY)],
        outputs=[Tensor(name="item_id", datatype="BYTES", shape=ANY), Tensor(name="score", datatype="FP32", shape=ANY)],
    )


def _ready(served: Served, state: State, response: Response) -> ModelReady:
    fit = good(ready_checks(state))
    response.status_code = 200 if fit else 503
    return ModelReady(name=served.name, ready=fit)
