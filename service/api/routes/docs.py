"""GET /docs."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from service.api.assets import guarded
from service.api.dependencies import StateOf
from service.api.docs import page, policy

router = APIRouter()


@router.get("/docs", include_in_schema=False)
def docs(request: Request, state: StateOf) -> HTMLResponse:
    """A plain function, so on a worker thread: nobody else should wait for it."""
    playground = bool(state.assets)
    return HTMLResponse(page(request.app.openapi(), playground), headers=guarded(policy(playground)))
