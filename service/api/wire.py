"""One connection: the server's HTTP protocol, with an end to whatever takes for ever and refusals of its own.

What may be refused unread is refused here, before the framework makes a task and a dozen calls of it.
"""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.api.house import ASKING, House
from service.api.middleware import UNREAD
from service.api.stand_ins import Answered, Mild
from service.errors import PromiseError, RequestError

AT_ONCE = struct.pack("ii", 1, 0)  # closing is a reset
LONGEST_HEAD = SHORT = 1 << 16  # bytes; of a body as many as the server takes before it stops reading
SLOWLY_S = 0.02  # between two pieces of a body that nobody will read: a quarter of a megabyte each


class Wire(HttpToolsProtocol):
    """See the server's own class for the callbacks: a message begins, its head is complete, the message is."""

    def __init__(
        self,
        house: House,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._house, self._book = house, house.book
        self._whole = self._headed = True  # nothing of a request is missing; its head is not
        self._held = 0
        self._feeding = False
        self._waiting: ASGI3Application | None = None  # an application that is to be called once the body is here
        self._body: int | None = None  # the hash of the one that is being answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class
        super().connection_made(cast(asyncio.Transport, Mild(transport)))
        self._book.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._book.gone(self)
        self._over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._whole and self._answered and self._refused_at_sight(data):
            return
        self._feeding = True
        super().data_received(data)
        self._feeding = False
        if self._waiting is not None and not self._short():
            self._start()  # its body comes while it is read
        if not self._whole and not self.transport.is_closing():
            self._more_to_come(len(data))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._whole = self._headed = False
        self._book.idle.discard(self)
        self._book.reading.add(self)

    def on_headers_complete(self) -> None:
        self._headed = True
        error = self._refusal()
        if error is None:
            super().on_headers_complete()
        else:
            self._refuse(error)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._whole = True
        self._book.reading.discard(self)
        self._release()
        if self._waiting is not None:
            self._body = hash(bytes(self.cycle.body))
            error = self._house.passed(self._body, self.loop)
            if error is None:
                self._start()
            else:
                self._waiting = self._body = None
                self._refuse(error)
        self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._over()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._book.stalled.add(self)
        self._rest()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._feeding and self._house.quick and self.url in ASKING:
            self._waiting = app
        else:
            super()._start_asgi_task(cycle, app)

    def _start(self) -> None:
        app, self._waiting = self._waiting, None
        if app is None:
            raise RuntimeError("Nothing waits to be started.")
        super()._start_asgi_task(self.cycle, app)

    def _short(self) -> bool:
        """Whether the body that is still to come is announced, and so short that a request is not begun before it."""
        announced = next((value for name, value in self.headers if name == b"content-length"), b"")
        return announced.isdigit() and int(announced) <= SHORT and not self.expect_100_continue

    def _lasting(self) -> bool:
        """Whether the caller expects the connection to outlast the answer; the server ends those of HTTP/1.0."""
        return bool(self.parser.should_keep_alive()) and self.parser.get_http_version() != "1.0"

    def pause_writing(self) -> None:
        super().pause_writing()
        self.flow.pause_reading()  # who does not take answers gets no further ones
        self._book.stalled.add(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()
        self._book.stalled.discard(self)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as the base class calls it
        self.end(RequestError("What arrived is no HTTP/1.1 request."))

    def timeout_keep_alive_handler(self) -> None:
        self.give_up()

    def give_up(self) -> None:
        if self.transport.get_write_buffer_size():  # nor shall the system keep what nobody takes
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()

    def end(self, error: PromiseError) -> None:
        arriving = not (self._whole and self._headed)
        if self._answered and not (arriving and self._headed):
            self._last(error)
        elif self._answered or not self._headed:  # the answer is out, or another one on its way
            self.give_up()
        elif arriving:  # the framework waits for the body: it answers
            if self._waiting is not None:
                self._start()
            cast(dict[str, Any], self.scope)[UNREAD] = error
            self.cycle.message_event.set()
        else:
            self.cycle.keep_alive = False

    @property
    def _answered(self) -> bool:
        """Whether nothing is under way; a refused request may still be arriving."""
        return self.cycle is None or self.cycle.response_complete

    def _refusal(self) -> PromiseError | None:
        """Why not to go on; a caller who waits for permission to send, or for no body, is left to the framework."""
        method = self.parser.get_method()
        if not self._house.quick or not self._answered or self.expect_100_continue or method == b"HEAD":
            return None
        return self._house.refusal(self.url, method, self.headers, self.loop)

    def _refused_at_sight(self, data: bytes) -> bool:
        """Between two requests: whether this was one, and is answered."""
        answer = self._house.at_sight(data, self.server_state.default_headers, self.loop)
        if answer is None:
            return False
        self._unset_keepalive_if_required()
        self.transport.write(answer)
        self.server_state.total_requests += 1
        self._book.idle.add(self)
        return True

    def _refuse(self, error: PromiseError) -> None:
        kept = self._lasting() and not self._house.state.is_draining()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self._write(error, self.url.partition(b"?")[0].decode("latin-1"), close=not kept)
        self.cycle = cast(RequestResponseCycle, Answered())
        if kept:
            self.flow.resume_reading()  # a long body may have stopped it, and nobody will read that one
            return
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._book.stalled.add(self)

    def _last(self, error: PromiseError) -> None:
        self._write(error, "", close=True)
        self.transport.close()
        self._book.stalled.add(self)  # until it is taken

    def _write(self, error: PromiseError, path: str, close: bool) -> None:
        scope = cast(dict[str, Any], self.scope or {"headers": []})
        server = self.server_state.default_headers
        self.transport.write(self._house.refusals.response(error, scope, path, server, close))
        self.server_state.total_requests += 1

    def _rest(self) -> None:
        if self._whole and self._answered and not self.transport.is_closing():
            self._book.idle.add(self)

    def _more_to_come(self, count: int) -> None:
        """Count what came of a request that is not whole; what nobody will read is taken slowly."""
        if self._answered and self._headed:
            self.flow.pause_reading()
            self.loop.call_later(SLOWLY_S, self._read_on)
            return
        self._held += count
        self._book.hold(count)
        if not self._headed and self._held > LONGEST_HEAD:
            self.end(_head_too_long())

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _over(self) -> None:
        """The request under way is answered, or nobody waits for it any more."""
        self._release()
        if self._body is not None:
            self._house.left(self._body)
            self._body = None

    def _release(self) -> None:
        self._book.hold(-self._held)
        self._held = 0


def _head_too_long() -> PromiseError:
    error = RequestError(f"The head of a request may have at most {LONGEST_HEAD} bytes.")
    error.status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return error
