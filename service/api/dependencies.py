"""What routes are handed."""

from dataclasses import dataclass
from email.message import Message
from typing import Annotated, cast

from fastapi import Depends, Request

from service.api.context import RequestContext, context_of
from service.api.state import State
from service.api.timeouts import limits_ms
from service.errors import UnsupportedMediaError
from service.experiments.assignment import assign

# Coroutines although they await little: plain functions would run on a thread pool. Few, because each one costs the
# framework as much time as all of our own routing.


async def state_of(request: Request) -> State:
    return cast(State, request.app.state.promise)


async def context_at(request: Request) -> RequestContext:
    return context_of(request.scope)


@dataclass(frozen=True)
class Arrival:
    """A request for work: its application, its context, what its headers say of bucket and time."""

    state: State
    context: RequestContext
    path: str
    bucket: str | None
    limits_ms: tuple[float, ...]


async def json_body(request: Request) -> None:
    """Raise UnsupportedMediaError for a body of no or another content type than JSON."""
    if not _says_json(request.headers.get("content-type", "")) and await request.body():
        raise UnsupportedMediaError("Send the body with the header Content-Type: application/json.")


async def arrive(request: Request) -> Arrival:
    """Check what stands in the headers before the body is looked at.

    Raises:
        UnsupportedMediaError: a body of no or another content type than JSON.
        InvalidRequestError: a timeout that is no number.
        UnknownBucketError: the header names no bucket of the experiments, or fits several.
    """
    await json_body(request)
    state, context = await state_of(request), context_of(request.scope)
    bucket = request.headers.get(state.ab_header)
    if bucket is not None:
        context.assigned(assign(state.experiments.current, None, bucket))
    return Arrival(state, context, request.scope["path"], bucket, limits_ms(request.headers))


def _says_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


StateOf = Annotated[State, Depends(state_of)]
ContextOf = Annotated[RequestContext, Depends(context_at)]
Arrived = Annotated[Arrival, Depends(arrive)]
