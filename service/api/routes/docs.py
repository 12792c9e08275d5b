"""GET /docs."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from service.api.docs import page

router = APIRouter()


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """A plain function, so on a worker thread: nobody else should wait for it."""
    return HTMLResponse(page(request.app.openapi()))
