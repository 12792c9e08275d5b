"""Overload seen before a request is read: a refusal that costs as much as an answer protects nobody.

Requests that wait in socket buffers have no clock running yet and are in no queue that admission could see. What shows
them is the event loop: it comes late to everything it planned, and by as much as new work waits.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.context import context_of
from service.api.problems import problem
from service.api.state import State
from service.api.timeouts import limits_ms, timed
from service.errors import InvalidRequestError, OverloadedError

SHARE = 1 / 3  # of a request's time that may be gone before anyone looks at it
LONGEST_S = 0.25  # a loop so far behind is overloaded, however patient the caller
PATHS = frozenset({"/recommend", "/recommend/batch"})


class Gate:
    """Refuses recommendations, unread, while all places are taken or the loop is too far behind for their deadline."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in PATHS:
            await self.app(scope, receive, send)
            return
        behind_s = self.state.pulse.behind_s
        try:
            self.state.admission.look(behind_s, self._patience_s(scope))
        except OverloadedError as error:
            await problem(Request(scope), error)(scope, receive, send)
            return
        context_of(scope).lost_s = 2 * behind_s  # the answer will have to wait for the same loop
        await self.app(scope, receive, send)

    def _patience_s(self, scope: Scope) -> float:
        try:
            given = limits_ms(Headers(scope=scope)) if timed(context_of(scope).headers) else ()
        except InvalidRequestError:
            given = ()  # the route will say so
        return min(LONGEST_S, SHARE * min((self.state.timeout_ms, *given)) / 1000)
