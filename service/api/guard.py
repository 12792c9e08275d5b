"""The door to /admin: a bearer token, looked at before anything of the request."""

import hmac
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from service.api.state import State
from service.errors import AdminDisabledError, UnauthorizedError

SCHEME = "bearer"
# For the API's document only: as a dependency it would run after the body was read.
DOCUMENTED = HTTPBearer(scheme_name="admin", description="PROMISE_ADMIN_TOKEN of the service.", auto_error=False)


class Guarded(APIRoute):
    """A route that reads nothing of a request without the token, not even its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            check(request, request.app.state.promise)
            return await handle(request)

        return guarded


def check(request: Request, state: State) -> None:
    """Compare in a time that tells nothing about the token.

    Raises:
        AdminDisabledError: the service has no token, so nobody may.
        UnauthorizedError: the request has none, or another one.
    """
    if state.admin_token is None:
        raise AdminDisabledError("Start the service with PROMISE_ADMIN_TOKEN to use the routes under /admin.")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), state.admin_token.encode())
    if scheme.lower() != SCHEME or not same:
        # Counted, not slowed: a limit by address would lock out the operator behind the proxy of whoever guesses.
        state.meter.denied("admin")
        raise UnauthorizedError("Send the header Authorization: Bearer <admin token>.")
