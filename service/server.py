"""The server: settings → bundle → listener → requests → drain."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
import time
from functools import partial
from types import FrameType
from typing import Any, Literal, cast

import uvicorn
from fastapi import FastAPI

from service import memory, settings
from service.api.connections import IDLE_S, Connections
from service.api.house import House
from service.api.open_files import room_for
from service.api.state import State
from service.api.wire import Wire
from service.app import create_app
from service.errors import StartError
from service.greeting import Greeting, by_hand
from service.observability.logging import open_logger, route_server_log
from service.runtime import Runtime, open_runtime

BACKLOG = 1 << 16  # the system lowers it to its own limit
EARS = 8  # handles of the listening socket: the loop accepts one connection a turn on each
UNSENT = 1 << 18  # bytes of answers that the system keeps for a caller who does not take them
BODIES = 64  # of the longest size, that may be arriving at once
TICKS = 10  # of the server's main loop, in a second


class DrainingServer(uvicorn.Server):
    """On SIGTERM: not ready, serving on for `drain_s`, then the listener closes and requests in flight finish.

    SIGINT or a second signal skips the pause.
    """

    def __init__(self, config: uvicorn.Config, runtime: Runtime, house: House, greeting: Greeting) -> None:
        super().__init__(config)
        self.house = house
        self._runtime, self._greeting = runtime, greeting
        self._leave_at = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            bundles = self._runtime.bundles
            device = "cuda" if "CUDAExecutionProvider" in bundles.get().searcher.engine.providers else "cpu"
            models = [bundles.get(name).tag for name in bundles.names]
            self._greeting.ready(sockets[0].getsockname()[1], models, device)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = self._leave_at == float("inf")  # an operator may have begun to drain before
        self._runtime.lifecycle.draining = True
        self._greeting.stopping()
        if first and sig == signal.SIGTERM:
            self._leave_at = time.monotonic() + self._runtime.settings.drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._leave_at and not self.should_exit:
            super().handle_exit(signal.SIGTERM, None)
        if counter % TICKS == 0:
            self.house.tick()
        return await super().on_tick(counter)


def listener(host: str, port: int) -> socket.socket:
    """The socket to serve on.

    Raises:
        StartError: the address is taken, or not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartError(_refused(host, port, error)) from error
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
    return opened


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        free = port + 1 if port < 65535 else 8000
        return f"Port {port} of {host} is taken: stop what listens there, or {_another(free)}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may only be taken by root: {_another(8000)}"
    return f"PROMISE_HOST and PROMISE_PORT: {host}:{port} cannot be served on ({error.strerror or error})."


def _another(port: int) -> str:
    return f"choose another one, as in PROMISE_PORT={port} or --port."


def server_of(
    runtime: Runtime, app: FastAPI, greeting: Greeting, lifespan: Literal["on", "off"] = "on"
) -> DrainingServer:
    """The server of `app`, not yet running. With `lifespan` off, whoever runs it starts and closes the runtime."""
    chosen = runtime.settings
    house = _house(runtime, app.state.promise)
    config = uvicorn.Config(
        app,
        host=chosen.host,
        port=chosen.port,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(Wire, house)),
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        log_level="warning" if by_hand() else None,  # the greeting says it shorter
        server_header=False,
        proxy_headers=False,  # nothing here depends on who a header says it is
        backlog=BACKLOG,
        timeout_keep_alive=round(IDLE_S),
        timeout_graceful_shutdown=max(1, round(chosen.grace_s)),
    )
    return DrainingServer(config, runtime, house, greeting)


def ears(opened: contextlib.ExitStack, host: str, port: int) -> list[socket.socket]:
    """Handles of one listening socket, closed with `opened`; raises as `listener`."""
    first = opened.enter_context(listener(host, port))
    return [first, *(opened.enter_context(first.dup()) for _ in range(EARS - 1))]


def serve(runtime: Runtime, greeting: Greeting | None = None) -> None:
    """Serve until a signal ends it; the runtime is closed then."""
    chosen = runtime.settings
    server = server_of(runtime, create_app(runtime), greeting or Greeting(chosen))
    gc.collect()
    gc.freeze()  # what start-up left lives as long as the process: looking through it again costs requests tens of ms
    with contextlib.ExitStack() as opened, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=ears(opened, chosen.host, chosen.port))


def _house(runtime: Runtime, state: State) -> House:
    """Room for the connections that the settings name and the system allows."""
    chosen = runtime.settings
    limit = room_for(chosen.max_connections)
    if limit < chosen.max_connections:
        runtime.logger.warning("few open files", connections=limit, wanted=chosen.max_connections)
    book = Connections(limit, chosen.read_timeout_s, BODIES * chosen.max_body_bytes, state.admission.crowded)
    return House(state, book, quick=not chosen.traces)


def run(**overrides: Any) -> None:
    """Load settings and bundle, serve until a signal; `overrides` win over the environment.

    Raises:
        PromiseError: the settings, the bundle or the device do not allow a start.
    """
    memory.share_one_heap()
    chosen = _readable(settings.load(**overrides))
    listener(chosen.host, chosen.port).close()  # a taken port is told before the wait for the bundle
    greeting = Greeting(chosen)
    greeting.loading()
    route_server_log(chosen.log_format, sys.stdout)
    runtime = open_runtime(chosen, logger=open_logger(chosen.log_format, sys.stdout))
    models = {name: runtime.bundles.get(name).tag for name in runtime.bundles.names}
    told = {} if by_hand() else {"settings": chosen.model_dump(mode="json")}
    runtime.logger.info("serving", models=models, **told)
    serve(runtime, greeting)


def _readable(chosen: settings.Settings) -> settings.Settings:
    """Lines for people on a terminal, unless a format was asked for."""
    if by_hand() and "log_format" not in chosen.model_fields_set:
        return chosen.model_copy(update={"log_format": "console"})
    return chosen
