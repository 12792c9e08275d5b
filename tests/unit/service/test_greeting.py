"""What whoever starts the service by hand reads: where the page is, and how to stop."""

from io import StringIO
from pathlib import Path

import pytest

from service.greeting import Greeting, address
from service.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://localhost:80/"),
        ("::", "http://localhost:80/"),
        ("10.0.0.7", "http://10.0.0.7:80/"),
        ("::1", "http://[::1]:80/"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(host: str, url: str) -> None:
    assert address(host, 80) == url


@pytest.mark.parametrize(
    ("playground", "page"), [(True, "http://localhost:81/ "), (False, "http://localhost:81/docs ")]
)
def test_a_start_by_hand_is_two_lines(playground: bool, page: str) -> None:
    screen = StringIO()
    greeting = Greeting(Settings(bundle=(Path("shop"),), playground=playground), screen)
    greeting.loading()
    greeting.ready(81, ["shop@1"], "cpu")
    loading, ready = screen.getvalue().splitlines()
    assert "shop" in loading
    assert page in ready
    assert "shop@1 on cpu" in ready
    assert "Ctrl-C" in ready


def test_a_log_that_machines_read_gets_no_greeting(capsys: pytest.CaptureFixture[str]) -> None:
    for form, lines in (("json", 0), ("console", 1)):
        Greeting(Settings(log_format=form)).loading()  # type: ignore[arg-type]  # one of the two formats
        told = capsys.readouterr()
        assert told.err.count("\n") == lines
        assert told.out == ""
