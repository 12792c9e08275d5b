"""GET /metrics."""

import asyncio

from fastapi import APIRouter, Response

from service.api.dependencies import StateOf

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(state: StateOf) -> Response:
    """Written on a worker thread: a scrape takes milliseconds that requests should not wait for."""
    state.meter.sample()
    figures, content_type = await asyncio.to_thread(state.meter.exposition)
    return Response(figures, media_type=content_type)
