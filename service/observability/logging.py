"""One canonical JSON line a request, without ids or histories; the server's own log through the same formatter."""

import json
import logging
import re
from typing import Literal, TextIO, cast

import structlog
from pydantic_core import PydanticSerializationError, to_json
from structlog.types import EventDict, Processor, WrappedLogger

from service.observability.failures import format_failure
from service.observability.lossy import Lossy

LogFormat = Literal["json", "console"]
Logger = structlog.typing.FilteringBoundLogger
DELETE = "\x7f"
# What moves the cursor of a terminal, turns the direction of its text, or cannot be written at all.
_CONTROLS = "\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_MOVING, _MOVING_ON = re.compile(f"[\n{_CONTROLS}]"), re.compile(f"[{_CONTROLS}]")


def open_logger(form: LogFormat, stream: TextIO) -> Logger:
    """A logger that writes one line per event to `stream`."""
    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, Lossy(stream))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            format_failure,
            _renderer(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    ).bind()  # once, not at every line
    return logger


def route_server_log(form: LogFormat, stream: TextIO) -> None:
    """Send the standard library's log records (uvicorn, asyncio, warnings) through the same formatter to `stream`."""
    handler = logging.StreamHandler(Lossy(stream))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _first_line,
                format_failure,
                _renderer(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _renderer(form: LogFormat) -> Processor:
    return _console(structlog.dev.ConsoleRenderer(colors=False)) if form == "console" else _json


def _json(_logger: object, _method: str, event: EventDict) -> str:
    """Several times as fast as the standard library; that one writes what is no text, such as half of a surrogate."""
    try:
        line = to_json(event, inf_nan_mode="constants", fallback=repr).decode()
    except (PydanticSerializationError, UnicodeEncodeError):
        line = json.dumps(event, default=repr)
    return line if line.isascii() and DELETE not in line else _MOVING.sub(_escaped, line)


def _console(render: Processor) -> Processor:
    """Line feeds are for stack traces alone: no value begins a line of its own, moves the cursor or hides another."""

    def plain(logger: WrappedLogger, method: str, event: EventDict) -> str:
        traced = event.pop("exception", None)
        line = _MOVING.sub(_escaped, str(render(logger, method, event)))
        return line if traced is None else f"{line}\n{_MOVING_ON.sub(_escaped, str(traced))}"

    return plain


def _first_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """What asyncio adds below is the exception once more, with all it says."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
