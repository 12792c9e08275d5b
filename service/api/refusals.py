"""Refusals as ready bytes: what a connection writes itself, past the framework, when the house is full.

They are the same documents with the same headers, counted and logged as on the long way, which costs the event loop
several times as much: a flood of them would take the processor from those who were let in.
"""

import json
from collections import Counter
from collections.abc import Iterable

from starlette.types import Scope

from service.api.context import DEFAULT_BUCKET, RequestContext, open_context
from service.api.gate import PATHS
from service.api.middleware import METHODS
from service.api.problems import MEDIA_TYPE, document
from service.api.state import State
from service.errors import PromiseError

LOGGED = 20  # a second with a line of their own; of the others only the number is logged
Headers = Iterable[tuple[bytes, bytes]]


class Refusals:
    """Makes and books them; from the event loop only. `untold`: those without a line of their own, by status."""

    def __init__(self, state: State) -> None:
        self.untold = Counter[int]()
        self._state = state
        self._lines = LOGGED
        self._templates: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        self._type = f"content-type: {MEDIA_TYPE}\r\n".encode()
        self._bucket = state.ab_header.lower().encode()

    def response(self, error: PromiseError, scope: Scope, path: str, server: Headers, close: bool) -> bytes:
        """The whole answer, booked. `scope` holds the headers read so far, `server` what the server adds to each."""
        context = open_context(scope)
        self._book(error, scope, context)
        return self.document(error, path, context.request_id.encode(), server, context.bucket, close)

    def document(
        self,
        error: PromiseError,
        path: str,
        own: bytes,
        server: Headers,
        bucket: str = DEFAULT_BUCKET,
        close: bool = False,
    ) -> bytes:
        """The same answer, not booked; `own`: the id of the request, which stands in its head and in its body."""
        before, after = self._template(error, path)
        head = [f"HTTP/1.1 {error.status:d} {error.status.phrase}\r\n".encode()]
        head += [b"%b: %b\r\n" % pair for pair in server]
        head += [f"{name.lower()}: {value}\r\n".encode() for name, value in error.headers.items()]
        head += [b"content-length: %d\r\n" % (len(before) + len(own) + len(after)), self._type]
        head += [b"x-request-id: %b\r\ncache-control: no-store\r\n" % own]
        head += [b"%b: %b\r\n" % (self._bucket, bucket.encode())]
        head += [b"connection: close\r\n\r\n" if close else b"\r\n", before, own, after]
        return b"".join(head)

    @property
    def untold_from_now(self) -> bool:
        """Whether as many have a line of their own as may have one this second."""
        return not self._lines

    def count(self, error: PromiseError, bucket: str = DEFAULT_BUCKET) -> None:
        """Book one that has no line of its own."""
        status = int(error.status)
        self._state.meter.request(bucket, status)
        self.untold[status] += 1

    def tell(self) -> None:
        """Log how many went untold; to be called once a second."""
        for status, count in self.untold.items():
            self._state.log.info("refused", status=status, requests=count)
        self.untold.clear()
        self._lines = LOGGED

    def _template(self, error: PromiseError, path: str) -> tuple[bytes, bytes]:
        """What stands before and after the request id; kept where the path is one of few, as the sentences are."""
        key = (error.detail, path)
        found = self._templates.get(key)
        if found is None:
            whole = json.dumps(document(error, path, RequestContext("\0"))).encode()
            before, _, after = whole.partition(rb"\u0000")
            found = before, after
            if path in PATHS or not path:  # any other is the caller's invention
                self._templates[key] = found
        return found

    def _book(self, error: PromiseError, scope: Scope, context: RequestContext) -> None:
        if self.untold_from_now:
            self.count(error, context.bucket)
            return
        status = int(error.status)
        self._state.meter.request(context.bucket, status)
        self._lines -= 1
        self._state.log.info(
            "request",
            request_id=context.request_id,
            method=scope["method"] if scope.get("method") in METHODS else "other",
            route="unmatched",
            status=status,
            bucket=context.bucket,
            duration_ms=round(1000 * context.elapsed_s(), 3),
            error=error.slug,
        )
