"""Progress: bars on a terminal, plain lines elsewhere, silence when asked, and nothing on standard output."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from service.commands.progress import Watch, watched


def test_elsewhere_lines_have_their_minute_and_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    with watched() as watch:
        watch.at("training", 1, 2)
        watch.say(long)
        watch.say("[bold]as it is")
    told = capsys.readouterr()
    assert told.err == f"[  0.0 min] {long}\n[  0.0 min] [bold]as it is\n"
    assert told.out == ""


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with watched(quiet=True) as watch:
        watch.say("a line")
        watch.at("training", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_an_interruption_says_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), watched(resumes=True):
        raise KeyboardInterrupt
    assert "goes on from there" in capsys.readouterr().err


def test_a_terminal_gets_a_bar_that_leaves_when_its_work_is_done() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    bars = Progress(console=console, auto_refresh=False)
    watch = Watch(console, bars, quiet=False)
    watch.at("promise-A", 3, 4)
    bars.refresh()
    assert [(task.description, task.completed, task.total) for task in bars.tasks] == [("promise-A", 3, 4)]
    watch.at("promise-A", 4, 4)
    assert not bars.tasks
    watch.at("promise-B", 1, 8)
    assert [task.description for task in bars.tasks] == ["promise-B"]
