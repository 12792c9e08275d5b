"""One canonical JSON line a request, without ids or histories; the server's own log through the same formatter."""

import logging
from typing import Literal, TextIO

import structlog
from structlog.types import Processor

LogFormat = Literal["json", "console"]
Logger = structlog.typing.FilteringBoundLogger


def open_logger(form: LogFormat, stream: TextIO) -> Logger:
    """A logger that writes one line per event to `stream`."""
    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _renderer(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


def route_server_log(form: LogFormat, stream: TextIO) -> None:
    """Send the standard library's log records (uvicorn, asyncio, warnings) through the same formatter to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _renderer(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _renderer(form: LogFormat) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(sort_keys=False)
