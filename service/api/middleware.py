"""Pure-ASGI middleware; what belongs to one request lives in its RequestContext."""

import asyncio
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.context import RequestContext, context_of, open_context
from service.api.problems import problem
from service.api.state import State
from service.api.tracing import PROBES, conceal, template, trace_id
from service.errors import PromiseError

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NEVER_STORED = (b"cache-control", b"no-store")  # unless a route says otherwise
UNREAD = "promise.unread"  # in a scope: the PromiseError that ends the wait for a body
GONE = 499  # nothing was answered: the caller left, or the process is ending


class Observe:
    """The outermost layer: request id, common headers, the last line of defence, metrics and the log line.

    Probes are left alone.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state
        self._bucket = state.ab_header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = open_context(scope)
        conceal(scope)
        reply = _Reply(self.state, self._bucket, scope, context, send)
        try:
            await self.app(scope, receive, reply.send)
        except Exception as error:
            self.state.log.error("unhandled", request_id=context.request_id, exc_info=error)
            if reply.status:
                raise  # half a response is out: only closing the connection is left
            sorry = PromiseError("Something broke here; the log holds it under this request id.")
            await problem(Request(scope), sorry)(scope, receive, reply.send)
        finally:
            if scope["path"] not in PROBES:  # after the loop's next turn, which is when the answer is really written
                note = partial(self._record, scope, context, reply.status, context.elapsed_s(), trace_id())
                asyncio.get_running_loop().call_soon(note)

    def _record(self, scope: Scope, context: RequestContext, status: int, seconds: float, traced: str | None) -> None:
        for note in context.later:
            note()
        method = scope["method"]
        self.state.meter.request(context.bucket, status or GONE)
        if context.tier is not None:
            self.state.meter.answered(context.bucket, context.tier, seconds)
        self.state.log.info(
            "request",
            request_id=context.request_id,
            method=method if method in METHODS else "other",
            route=template(scope),
            status=status or GONE,
            bucket=context.bucket,
            duration_ms=round(1000 * seconds, 3),
            **context.log,
            **({} if traced is None else {"trace_id": traced}),
        )


@dataclass
class _Reply:
    """Sends the response on, with the headers every response carries; remembers its status (0 = none yet)."""

    state: State
    bucket_header: bytes
    scope: Scope
    context: RequestContext
    downstream: Send
    status: int = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            conceal(self.scope)
            own = message["headers"]
            headers = [
                *own,
                (b"x-request-id", self.context.request_id.encode()),
                *(() if any(name == b"cache-control" for name, _ in own) else (NEVER_STORED,)),
                (self.bucket_header, self.context.bucket.encode("latin-1")),
            ]
            if self.state.is_draining():  # idle keep-alive connections would be cut in mid-request
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        await self.downstream(message)


class BodyLimit:
    """Refuses bodies over `limit` bytes, by their announced length or as they stream in.

    The framework's own limit answers in plain text, outside the exception handlers.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = context_of(scope).headers.get(b"content-length", b"0")
        length = int(announced) if announced.isdigit() else 0
        received = 0

        async def limited() -> Message:
            nonlocal received
            if length <= self.limit:  # else not even the permission to send it, which some callers wait for
                message = await receive()
                received += len(message.get("body", b""))
            if UNREAD in scope:
                raise _unread(scope[UNREAD])
            if max(length, received) > self.limit:
                raise HTTPException(413, f"A body may have at most {self.limit} bytes.")
            return message

        await self.app(scope, limited, send)


def _unread(error: PromiseError) -> HTTPException:
    """In the form that the framework lets through while it reads; the caller may still be sending, so it is over."""
    raised = HTTPException(int(error.status), error.detail, {**error.headers, "connection": "close"})
    raised.__cause__ = error
    return raised
