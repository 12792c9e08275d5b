"""What stands in for parts of the server where its own would do too much."""

import asyncio
from typing import Any


class Answered:
    """Stands where the server looks for the request under way, once it was refused: nothing is left to do."""

    response_complete = True

    @property
    def message_event(self) -> asyncio.Event:
        return asyncio.Event()


class Mild:
    """A transport that passes over what is written after its end, as asyncio's own does; uvloop's raises."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
