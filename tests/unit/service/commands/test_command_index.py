"""What `promise --help` lists: true to the commands, quick, and no wider than the terminal."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from service import cli
from service.commands.index import INDEX, load

PARTS = ("numpy", "pydantic", "torch", "onnxruntime", "fastapi", "service.settings")


def every_command() -> Iterator[tuple[str, ...]]:
    """Every command and sub-command, as typed."""
    for name in INDEX:
        yield (name,)
        for below in getattr(load(name), "commands", {}):
            yield name, below


@pytest.mark.parametrize("name", INDEX)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    assert load(name).help.splitlines()[0] == INDEX[name].help


def test_help_imports_no_more_than_it_shows() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom service import cli\n"
        "assert CliRunner().invoke(cli.app, ['--help']).exit_code == 0\n"
        f"found = [part for part in {PARTS!r} if part in sys.modules]\nassert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("width", [80, 120])
def test_every_help_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", width)
    for words in [(), *every_command()]:
        shown = CliRunner().invoke(cli.app, [*words, "--help"])
        assert shown.exit_code == 0, words
        assert max(map(len, shown.output.splitlines())) <= width, words
        assert "…" not in shown.output, words


def test_every_command_that_ends_with_a_result_speaks_json() -> None:
    silent = {("serve",)}
    groups = {words[0] for words in every_command() if len(words) == 2}
    for words in every_command():
        if words in silent or words in {(group,) for group in groups}:
            continue
        shown = CliRunner().invoke(cli.app, [*words, "--help"], env={"COLUMNS": "120"})
        assert "--json" in shown.output, words


def test_exit_codes_are_told() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    assert "Exit codes: 0 done; 1 a check or a gate failed; 2 a mistake" in shown
