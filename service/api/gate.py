"""Overload seen before a request is read: a refusal that costs as much as an answer protects nobody.

Requests that wait in socket buffers have no clock running yet and are in no queue that admission could see. What shows
them is the event loop: it comes late to everything it planned, and by as much as new work waits.
"""

from collections.abc import Mapping
from functools import partial

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.context import context_of
from service.api.problems import problem
from service.api.state import State
from service.api.timeouts import ENVOY, OWN, limits_ms, timed
from service.api.tracing import PROBES
from service.errors import InvalidRequestError, OverloadedError

SHARE = 1 / 3  # of a request's time that may be gone before anyone looks at it
LONGEST_S = 0.25  # a loop so far behind is overloaded, however patient the caller
OWN_NAME, ENVOY_NAME = OWN.lower().encode(), ENVOY.encode()
PATHS = frozenset({"/recommend", "/recommend/batch"})
OPERATORS = "/admin/"


class Gate:
    """Refuses recommendations, unread, while all places are taken or the loop is too far behind for their deadline.

    Whatever else costs time gives way to them once the loop drowns; probes and operators are always heard.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, asks = context_of(scope), scope["method"] == "POST" and scope["path"] in PATHS
        error = refusal(self.state, context.headers) if asks else unheard(self.state, scope["path"])
        if error is not None:
            await problem(Request(scope), error)(scope, receive, send)
            return
        if asks:
            context.lost_s = 2 * self.state.pulse.behind_s  # the answer will have to wait for the same loop
        await self.app(scope, receive, send)


def refusal(state: State, headers: Mapping[bytes, bytes], coming: int = 0) -> OverloadedError | None:
    """Why not even to read a recommendation, if there is a reason; it is counted. `coming`: as `Admission.look`."""
    try:
        state.admission.look(state.pulse.behind_s, partial(_patience_s, state, headers), coming)
    except OverloadedError as error:
        return error
    return None


def unheard(state: State, path: str) -> OverloadedError | None:
    """The same for anything else."""
    if not state.pulse.drowning or path in PROBES or path.startswith(OPERATORS):
        return None
    return state.admission.late(state.pulse.behind_s)


def _patience_s(state: State, headers: Mapping[bytes, bytes]) -> float:
    return min(LONGEST_S, SHARE * min((state.timeout_ms, *_limits_ms(headers))) / 1000)


def _limits_ms(headers: Mapping[bytes, bytes]) -> tuple[float, ...]:
    own = headers.get(OWN_NAME, b"")
    if own.isdigit() and own != b"0" and ENVOY_NAME not in headers:
        return (float(own),)  # as nearly all have it; the long way costs as much as the rest of a refusal
    try:
        return limits_ms(Headers(raw=list(headers.items()))) if timed(headers) else ()
    except InvalidRequestError:
        return ()  # the route will say so
