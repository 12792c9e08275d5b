"""What the log says of exceptions: type and place, and a text only where it cannot quote a request."""

import logging
from io import StringIO

import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from service.errors import OverloadedError
from service.observability.failures import described
from service.observability.logging import open_logger, route_server_log

pytestmark = pytest.mark.usefixtures("root_logger")

SECRET = "user-4711-of-the-shop"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except BaseException as first:
            raise error from first
    except BaseException as found:
        return found


@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, RuntimeError, AssertionError, LookupError])
def test_a_text_that_may_quote_a_request_is_left_out(kind: type[Exception]) -> None:
    shown = described(raised(kind(SECRET), cause=KeyError(SECRET)))
    assert SECRET not in shown
    assert shown.splitlines()[-1] == kind.__name__
    assert "KeyError\n" in shown
    assert "test_failures.py" in shown


def test_a_text_that_cannot_is_kept() -> None:
    for error in (OverloadedError("Full.", 1), OSError(28, "No space left"), RuntimeException("Node x failed")):
        assert str(error) in described(raised(error))


def test_a_chain_that_is_a_circle_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert described(first).splitlines() == ["KeyError", "ValueError"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_way_of_logging_tells_the_text(form: str) -> None:
    stream, error = StringIO(), raised(ValueError(SECRET))
    logger = open_logger(form, stream)  # type: ignore[arg-type]  # one of the two forms
    logger.error("unhandled", exc_info=error)
    route_server_log(form, stream)  # type: ignore[arg-type]  # one of the two forms
    exc_info = (type(error), error, error.__traceback__)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=exc_info)
    told = f"Task exception was never retrieved\nfuture: <Task finished exception=ValueError('{SECRET}')>"
    logging.getLogger("asyncio").error(told, exc_info=exc_info)
    text = stream.getvalue()
    assert (SECRET in text, text.count("ValueError")) == (False, 3)


MOVING = ["\n", "\r", "\x1b[2J", "\x9b2J", "\x08", "\x7f", "\u2028", "\u202e", "\u2066", "\x00", "\ud800"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("moving", MOVING)
def test_no_value_leaves_its_line_or_moves_a_cursor(form: str, moving: str) -> None:
    stream = StringIO()
    logger = open_logger(form, stream)  # type: ignore[arg-type]  # one of the two forms
    logger.info(f"a{moving}b", value=f"c{moving}d", listed=[f"e{moving}f"], **{f"g{moving}h": 1})
    line = stream.getvalue().removesuffix("\n")
    assert moving not in line
    assert line.encode().decode().isprintable()
