"""Errors over HTTP: RFC 9457 problems, one function for all of them."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.context import context_of
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


def problem(request: Request, error: PromiseError, extra: Mapping[str, Any] | None = None) -> Response:
    """The problem document of an error; its slug also goes to the request's log line."""
    context = context_of(request.scope)
    context.log["error"] = error.slug
    body = {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": request.url.path[:LONGEST],
        "request_id": context.request_id,
        **(extra or {}),
    }
    # ASCII only: what a caller sent may hold lone surrogates, which UTF-8 cannot encode.
    content = json.dumps(body, ensure_ascii=True).encode()
    return Response(content, int(error.status), dict(error.headers), MEDIA_TYPE)


async def on_error(request: Request, error: Exception) -> Response:
    """Handler of our own tree."""
    assert isinstance(error, PromiseError)
    return problem(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Handler of what the framework raises: unknown path or method, unreadable or oversized body."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path[:LONGEST], request.method[:LONGEST]
    known: dict[int, PromiseError] = {
        400: MalformedBodyError("The body cannot be read as JSON: not UTF-8, nested too deeply, or a number too long."),
        404: NotFoundError(f"No route is called {path}."),
        405: MethodNotAllowedError(f"{path} does not answer {method}."),
        413: BodyTooLargeError(str(error.detail)),
    }
    response = problem(request, known.get(error.status_code) or _other(error))
    response.headers.update(error.headers or {})
    return response


def _other(error: HTTPException) -> PromiseError:
    """Whatever else the framework raises keeps its status."""
    other = PromiseError(str(error.detail))
    other.status = HTTPStatus(error.status_code)
    other.title = other.status.phrase
    return other


async def on_invalid(request: Request, error: Exception) -> Response:
    """Handler of requests that do not fit the schema: one sentence, and `errors` with every field found wrong."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    first = found[0]
    if first["type"] == "json_invalid":
        reason, at = first["ctx"]["error"], first["loc"][-1]
        return problem(request, MalformedBodyError(f"The body is not JSON: {reason} at character {at}."))
    if first["type"] == "missing" and tuple(first["loc"]) == ("body",):
        return problem(request, InvalidRequestError("A JSON object is needed as the body."))
    fields = [{"field": _name(one["loc"]), "message": one["msg"]} for one in found[:SHOWN]]
    detail = f"{fields[0]['field']}: {fields[0]['message']}."
    return problem(request, InvalidRequestError(detail), {"errors": fields})


def _name(location: tuple[int | str, ...]) -> str:
    """`history.3` for a field of the body, `header x-request-timeout-ms` for a header."""
    place, *path = location
    name = ".".join(part for part in map(str, path) if not part.startswith("|"))[:LONGEST]
    return (name or "body") if place == "body" else f"{place} {name}"
