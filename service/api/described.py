"""What the API's document says of errors: which problems a route may answer with."""

from typing import Any

from service.api.problems import MEDIA_TYPE
from service.api.schemas.common import Problem
from service.api.schemas.inference import InferenceError
from service.errors import (
    AdminDisabledError,
    BodyTooLargeError,
    ConflictError,
    InvalidRequestError,
    KeyNeededError,
    MalformedBodyError,
    NotFoundError,
    OverrideError,
    PromiseError,
    QuotaError,
    RequestError,
    StoreUnavailableError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaError,
)

Responses = dict[int | str, dict[str, Any]]

_SCHEMA = {"$ref": f"#/components/schemas/{Problem.__name__}"}  # there because bodies of batches hold problems


def problems(*errors: tuple[type[PromiseError], str]) -> Responses:
    """One entry per status: what it means here, the schema and an example. Of two with one status the later counts."""
    return {int(kind.status): _response(kind, meaning) for kind, meaning in errors}


def protocol_errors(*errors: tuple[type[PromiseError], str]) -> Responses:
    """The same for routes under /v2."""
    return {int(kind.status): {"description": meaning, "model": InferenceError} for kind, meaning in errors}


def headers(*names: str) -> Responses:
    """Headers that a good response carries beside those every response has."""
    return {200: {"headers": {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}}}


def _response(kind: type[PromiseError], meaning: str) -> dict[str, Any]:
    shown = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": int(kind.status),
        "detail": f"{meaning}.",
        "instance": "/path",
        "request_id": "7c0a4f0e2b7d4d0f9a51c6f6c0b1a2d3",
    }
    content = {MEDIA_TYPE: {"schema": _SCHEMA, "example": shown}}
    response: dict[str, Any] = {"description": meaning, "content": content}
    if issubclass(kind, UnavailableError | QuotaError):
        seconds = {"description": "Seconds to wait, jittered.", "schema": {"type": "integer", "minimum": 1}}
        response["headers"] = {"Retry-After": seconds}
    return response


HEADERS = {
    "X-AB-Bucket": "The bucket of the first experiment.",
    "X-Request-ID": "The caller's, or a new one.",
    "Server-Timing": "Milliseconds in each stage.",
}
INVALID = (InvalidRequestError, "A field, header or part of the path is missing, wrong or unknown")
BODY = (
    (MalformedBodyError, "The body is not JSON"),
    (BodyTooLargeError, "The body is too large"),
    (UnsupportedMediaError, "The body is not application/json"),
    INVALID,
)
BAD = (RequestError, "Not JSON, or a name that is not configured: tier, bucket, category, brand")
CALLER = (
    (KeyNeededError, "The service wants an API key, and this is none of its own"),
    (QuotaError, "The key asks more than its quota"),
)
CHOICE = (OverrideError, "A choice that this caller may not make: bucket, tier, strategy, explain")
STORE = (StoreUnavailableError, "The store cannot be asked now")
ADMIN = (
    (UnauthorizedError, "The admin token is missing or wrong"),
    (AdminDisabledError, "The service has no admin token"),
)
UNKNOWN = (NotFoundError, "There is nothing of that name")
CONFLICT = (ConflictError, "The present state forbids it")
