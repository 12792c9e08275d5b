"""The short way of POST /recommend, past the framework's routing and field by field checks.

What is not plainly a request that fits goes the framework's way, which says what is wrong with it. Schema, document and
meaning are the same on both.
"""

from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.context import RequestContext, context_of
from service.api.dependencies import Arrival
from service.api.problems import on_http_error, problem
from service.api.routes import recommend
from service.api.schemas.recommend import RecommendRequest
from service.api.state import State
from service.api.timeouts import limits_ms, timed
from service.errors import PromiseError
from service.experiments.assignment import assign

PATH, JSON = "/recommend", b"application/json"
ROUTE = next(route for route in recommend.router.routes if getattr(route, "path", "") == PATH)


class Direct:
    """The innermost layer. Not for traced requests: the framework's spans tell of the steps that are left out here."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self.state = app, state
        self._bucket = state.ab_header.lower().encode()
        self._read: Callable[[bytes], RecommendRequest] = TypeAdapter(RecommendRequest).validator.validate_json

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        messages: list[Message] = []
        try:
            content = await _content(receive, messages) if context.headers.get(b"content-type") == JSON else b""
            body = self._read(content)
        except ValidationError:
            await self.app(scope, _again(messages, receive), send)
            return
        except HTTPException as error:
            await (await on_http_error(Request(scope), error))(scope, receive, send)
            return
        scope["route"] = ROUTE
        try:
            shown, timing = await recommend.answer(body, self._arrival(scope, context), context)
        except PromiseError as error:
            await problem(Request(scope), error)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _headers(shown, timing)})
        await send({"type": "http.response.body", "body": shown})

    def _arrival(self, scope: Scope, context: RequestContext) -> Arrival:
        """As service.api.dependencies.arrive makes it."""
        bucket = None
        if self._bucket in context.headers:
            bucket = context.headers[self._bucket].decode("latin-1")
            context.assigned(assign(self.state.experiments.current, None, bucket))
        limits = limits_ms(Headers(scope=scope)) if timed(context.headers) else ()
        return Arrival(self.state, context, PATH, bucket, limits)


async def _content(receive: Receive, messages: list[Message]) -> bytes:
    """The whole body; what was received is left in `messages`. Nothing, which is no JSON, if the caller left."""
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    if messages[-1]["type"] != "http.request":
        return b""
    return b"".join([message.get("body", b"") for message in messages])


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Receives the same messages once more, then what comes."""
    waiting = iter(messages)

    async def replay() -> Message:
        return next(waiting, None) or await receive()

    return replay


def _headers(shown: bytes, timing: str) -> list[tuple[bytes, bytes]]:
    length = str(len(shown)).encode()
    return [(b"content-length", length), (b"content-type", JSON), (b"server-timing", timing.encode("latin-1"))]
