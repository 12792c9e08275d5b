"""GET / and GET /status, the pages; GET /web/…, what they are made of."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.dependencies import StateOf
from service.api.state import State
from service.errors import NotFoundError

router = APIRouter()

READ = ["GET", "HEAD"]


@router.api_route("/", methods=READ, include_in_schema=False)
async def playground(request: Request, state: StateOf) -> Response:
    return _sent("index.html", request, state)


@router.api_route("/status", methods=READ, include_in_schema=False)
async def status(request: Request, state: StateOf) -> Response:
    return _sent("status.html", request, state)


@router.api_route("/web/{file:path}", methods=READ, include_in_schema=False)
async def asset(file: str, request: Request, state: StateOf) -> Response:
    return _sent(file, request, state)


def _sent(name: str, request: Request, state: State) -> Response:
    found = state.assets.get(name)
    if found is None:
        raise NotFoundError("There is no such page.")
    return found.response(request)
