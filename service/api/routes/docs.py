"""GET /docs and GET /openapi.json."""

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from service.api.assets import guarded
from service.api.dependencies import StateOf
from service.api.docs import page, policy

router = APIRouter()


@router.get("/docs", include_in_schema=False)
def docs(request: Request, state: StateOf) -> HTMLResponse:
    """A plain function, so on a worker thread: nobody else should wait for it."""
    playground = bool(state.assets)
    return HTMLResponse(page(request.app.openapi(), playground), headers=guarded(policy(playground)))


@router.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    return Response(ready(request.app), media_type="application/json")


def ready(app: FastAPI) -> bytes:
    """The document as JSON, made once: its readers must not hold up the event loop."""
    made = getattr(app.state, "document", None)
    if made is None:
        made = app.state.document = bytes(JSONResponse(app.openapi()).body)
    return bytes(made)
