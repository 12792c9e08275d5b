"""What routes are handed."""

from dataclasses import dataclass
from email.message import Message
from typing import Annotated, cast

from fastapi import Depends, Request

from service.api.context import RequestContext, context_of
from service.api.state import State
from service.errors import UnknownBucketError, UnsupportedMediaError

# Coroutines although they await little: plain functions would run on a thread pool. Few, because each one costs the
# framework as much time as all of our own routing.


async def state_of(request: Request) -> State:
    return cast(State, request.app.state.promise)


@dataclass(frozen=True)
class Arrival:
    """A request for work: its application, its context with the experiment bucket decided."""

    state: State
    context: RequestContext


async def arrive(request: Request) -> Arrival:
    """Check what stands in the headers before the body is looked at.

    Raises:
        UnsupportedMediaError: a body of no or another content type than JSON.
        UnknownBucketError: the header names a bucket; no experiment is configured.
    """
    state = await state_of(request)
    if not _says_json(request.headers.get("content-type", "")) and await request.body():
        raise UnsupportedMediaError("Send the body with the header Content-Type: application/json.")
    if state.ab_header in request.headers:
        raise UnknownBucketError(
            f"No experiment is configured, so {state.ab_header} can name no bucket; leave the header out."
        )
    return Arrival(state, context_of(request.scope))


def _says_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


StateOf = Annotated[State, Depends(state_of)]
Arrived = Annotated[Arrival, Depends(arrive)]
