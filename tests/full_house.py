"""A service whose places are taken, and connections to it without sockets."""

import asyncio
import re
from io import StringIO
from typing import Any

from fake_service import made_runtime
from uvicorn.server import ServerState

from service.api.house import House
from service.api.wire import Wire
from service.app import create_app
from service.greeting import Greeting
from service.server import server_of

SERVER = [(b"date", b"now")]


class Still:
    """A transport that keeps what is written to it; `unsent`: so many bytes, it says, are still to be taken."""

    def __init__(self, unsent: int = 0) -> None:
        self.written, self.closed, self.reading = b"", False, True
        self._unsent = unsent

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Full:
    """A service whose places are all taken and whose log has had its lines, with a loop to run in."""

    def __init__(self, at_sight: bool = True) -> None:
        self.runtime = made_runtime(log=StringIO())
        app = create_app(self.runtime)
        server = server_of(self.runtime, app, Greeting(self.runtime.settings, StringIO()))
        server.config.load()
        self.house: House = server.house
        self.house.refusals._lines = 0
        self.admission = app.state.promise.admission
        self.admission.active = self.admission.limit
        self._jitter = self.admission._jitter = lambda: 0.5
        if not at_sight:
            self.house.at_sight = lambda *_: None  # type: ignore[method-assign] # the long way for everything
        self._config, self._state = server.config, ServerState()
        self._state.default_headers = SERVER

    def wire(self, still: Still) -> Wire:
        """A connection that was just made."""
        made = Wire(self.house, self._config, self._state, {})
        made.connection_made(still)  # type: ignore[arg-type] # what a wire asks of a transport
        return made

    def told(self, *pieces: bytes) -> tuple[bytes, bool]:
        """What a new connection is answered to these pieces, ids left out, and whether it was closed."""

        async def story() -> tuple[bytes, bool]:
            still = Still()
            wire = self.wire(still)
            for piece in pieces:
                if not still.closed:
                    wire.data_received(piece)
            closed = still.closed
            wire.connection_lost(None)
            return re.sub(rb"[0-9a-f]{32}", b"OWN", still.written), closed

        return asyncio.run(story())
