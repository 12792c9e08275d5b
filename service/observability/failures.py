"""Unexpected exceptions in the log: where, and of what type, but not what they say.

The text of a KeyError or a ValueError may be what a caller sent: a user id, a token, a whole body. Only texts that
cannot quote a request are kept.
"""

import traceback
from collections.abc import Iterator

from structlog.types import EventDict

from service.errors import PromiseError

KEPT = (PromiseError, OSError, MemoryError)  # our own sentences, and those of the operating system
KEPT_OF = ("onnxruntime",)  # packages that speak of graphs and devices
MOST = 8  # exceptions shown of a chain


def format_failure(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A processor in the place of structlog's format_exc_info: `exc_info` becomes `exception`, a text."""
    error = _error(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = described(error)
    return event


def described(error: BaseException) -> str:
    """The chain of an exception, causes first, each with its frames."""
    chain = list(_chain(error))[:MOST]
    return "\n".join(f"{''.join(traceback.format_tb(one.__traceback__))}{_last_line(one)}" for one in reversed(chain))


def _last_line(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    kept = isinstance(error, KEPT) or kind.__module__.partition(".")[0] in KEPT_OF
    return f"{name}: {error}" if kept else name


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, then what it came from; one that comes again ends it."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _error(given: object) -> BaseException | None:
    """What the forms of `exc_info` hold: an exception, a triple, or nothing."""
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None
