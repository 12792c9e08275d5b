"""GET /docs."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from service.api.docs import page

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(page(request.app.openapi()))
