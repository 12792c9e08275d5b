"""A log that cannot be written loses lines and nothing else."""

import errno
import logging
from io import StringIO

import pytest

from service.observability.logging import LogFormat, open_logger, route_server_log
from service.observability.lossy import Lossy

pytestmark = pytest.mark.usefixtures("root_logger")


class Full(StringIO):
    """A file on a disk without room."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        self.write("")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_full_disk_and_a_closed_stream_are_no_error(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    closed = StringIO()
    closed.close()
    for stream in (Full(), closed):
        open_logger(form, stream).info("request", status=200)
        route_server_log(form, stream)
        logging.getLogger("uvicorn.error").error("a line")
    assert capsys.readouterr().err == ""


def test_what_is_lost_is_counted_and_what_is_not_is_written() -> None:
    stream = StringIO()
    lossy = Lossy(stream)
    assert lossy.write("one\n") == 4
    stream.close = lambda: None  # type: ignore[method-assign]  # its text is read below
    lossy.flush()
    assert (stream.getvalue(), lossy.lost) == ("one\n", 0)
    StringIO.close(stream)
    assert (lossy.write("two\n"), lossy.lost) == (0, 1)
