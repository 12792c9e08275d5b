"""What is known about one request, from its first byte to its log line."""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.types import Scope

from service.api.callers import Caller
from service.experiments.assignment import Assignments
from service.search.guided import Deadline

SCOPE_KEY = "promise.context"
DEFAULT_BUCKET = "default"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass
class RequestContext:
    """One request: its id, when it began (perf_counter), its bucket, the tier that served it, and fields to log.

    `headers`: names in lower case; of a name that comes twice the first value. `later`: bookkeeping that can wait until
    the answer is out.
    `lost_s`: what the event loop is thought to take of its time: outside, before anyone looked, and on the way out.
    `caller`: whose API key it came with; `owes`: it is one more request of that caller's that was not counted yet.
    """

    request_id: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    lost_s: float = 0.0
    bucket: str = DEFAULT_BUCKET
    tier: str | None = None
    log: dict[str, object] = field(default_factory=dict)
    later: list[Callable[[], None]] = field(default_factory=list)
    caller: Caller | None = None
    may_override: bool = True
    owes: bool = False

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started

    def deadline(self, *limits_ms: float | None) -> Deadline:
        """The tightest of the limits that were given, counted from the arrival of the request."""
        tightest = min((limit for limit in limits_ms if limit is not None), default=float("inf"))
        return Deadline(self.started - self.lost_s + tightest / 1000)

    def assigned(self, assignments: Assignments) -> None:
        """From here on the request belongs to its primary bucket, even if it fails."""
        self.bucket = assignments.primary.bucket
        if assignments.all:
            self.log["experiments"] = {one.experiment: f"{one.bucket}/{one.source}" for one in assignments.all}

    def entry(self, number: int) -> "RequestContext":
        """The context of one entry of a batch, from 0: it began with the batch, whose first entry is paid for."""
        return RequestContext(
            f"{self.request_id}.{number}",
            self.headers,
            self.started,
            self.lost_s,
            later=self.later,
            caller=self.caller,
            may_override=self.may_override,
            owes=number > 0,
        )


def open_context(scope: Scope) -> RequestContext:
    """Put a new context into the scope; a well-formed X-Request-ID is taken over, any other is replaced."""
    headers = dict(reversed(scope["headers"]))
    given = headers.get(b"x-request-id", b"")
    own = given.decode() if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
    context = RequestContext(own, headers)
    scope[SCOPE_KEY] = context
    return context


def context_of(scope: Scope) -> RequestContext:
    """The context that `open_context` put there."""
    return cast(RequestContext, scope[SCOPE_KEY])
