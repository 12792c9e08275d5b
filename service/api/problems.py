"""Errors over HTTP: RFC 9457 problems, one function for all of them. Under /v2 the protocol's own form."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.context import RequestContext, context_of
from service.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    MalformedBodyError,
    MethodNotAllowedError,
    NotFoundError,
    PromiseError,
)

MEDIA_TYPE = "application/problem+json"
SHOWN = 8  # invalid fields listed in one problem
LONGEST = 200  # characters of anything the caller sent that a problem repeats

Extra = Mapping[str, Any]


def problem(request: Request, error: PromiseError, extra: Extra | None = None) -> Response:
    """The response of an error."""
    context = context_of(request.scope)
    path = request.url.path
    body, media_type = document(error, path, context, extra), MEDIA_TYPE
    if path == "/v2" or path.startswith("/v2/"):
        body, media_type = {"error": error.detail}, "application/json"
    # ASCII only: what a caller sent may hold lone surrogates, which UTF-8 cannot encode.
    content = json.dumps(body, ensure_ascii=True).encode()
    return Response(content, int(error.status), dict(error.headers), media_type)


def document(error: PromiseError, path: str, context: RequestContext, extra: Extra | None = None) -> dict[str, Any]:
    """The problem document of an error; its slug also goes to the request's log line."""
    context.log["error"] = error.slug
    return {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": path[:LONGEST],
        "request_id": context.request_id,
        **(extra or {}),
    }


async def on_error(request: Request, error: Exception) -> Response:
    """Handler of our own tree."""
    return problem(request, cast(PromiseError, error))


async def on_http_error(request: Request, raised: Exception) -> Response:
    """Handler of what the framework raises: unknown path or method, unreadable or oversized body."""
    error = cast(HTTPException, raised)
    path, method = request.url.path[:LONGEST], request.method[:LONGEST]
    known: dict[int, PromiseError] = {
        400: MalformedBodyError("The body cannot be read as JSON: not UTF-8, nested too deeply, or a number too long."),
        404: NotFoundError(f"No route is called {path}."),
        405: MethodNotAllowedError(f"{path} does not answer {method}."),
        413: BodyTooLargeError(str(error.detail)),
    }
    own = error.__cause__ if isinstance(error.__cause__, PromiseError) else known.get(error.status_code)
    response = problem(request, own or _other(error))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = _allowed(request, response.headers.get("Allow", ""))
    return response


def _allowed(request: Request, named: str) -> str:
    """Every method of the path; the framework names those of its first route only."""
    documented = request.app.openapi()["paths"].get(request.url.path, {})
    return ", ".join(sorted({*filter(None, named.split(", ")), *(method.upper() for method in documented)}))


def _other(error: HTTPException) -> PromiseError:
    """Whatever else the framework raises keeps its status."""
    other = PromiseError(str(error.detail))
    other.status = HTTPStatus(error.status_code)
    other.title = other.status.phrase
    return other


async def on_invalid(request: Request, error: Exception) -> Response:
    """Handler of requests that do not fit the schema."""
    return problem(request, *misfit(cast(RequestValidationError, error).errors()))


def misfit(found: Sequence[Any]) -> tuple[PromiseError, Extra | None]:
    """What pydantic found wrong: one sentence, and `errors` with every field found wrong."""
    first = found[0]
    if first["type"] == "json_invalid":
        reason, at = first["ctx"]["error"], first["loc"][-1]
        return MalformedBodyError(f"The body is not JSON: {reason} at character {at}."), None
    if first["type"] == "missing" and tuple(first["loc"]) == ("body",):
        return InvalidRequestError("A JSON body is needed."), None
    fields = [{"field": _name(one["loc"]), "message": one["msg"]} for one in found[:SHOWN]]
    return InvalidRequestError(f"{fields[0]['field']}: {fields[0]['message']}."), {"errors": fields}


def _name(location: tuple[int | str, ...]) -> str:
    """`history.3` for a field of the body, `header x-request-timeout-ms` for a header."""
    place, *path = location
    name = ".".join(part for part in map(str, path) if not part.startswith("|"))[:LONGEST]
    return (name or "body") if place == "body" else f"{place} {name}"
