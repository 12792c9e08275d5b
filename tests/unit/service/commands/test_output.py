"""How results are shown: tables in parts that fit, values as people write them, verdicts as exit codes."""

import json

import pytest
import typer
from rich.console import Console

from service.commands import output


@pytest.mark.parametrize(
    ("widths", "room", "keys", "found"),
    [
        ([10, 10, 10], 30, 1, [[0, 1, 2]]),
        ([10, 10, 10], 29, 1, [[0, 1], [0, 2]]),
        ([10, 5, 10, 10, 10], 36, 2, [[0, 1, 2, 3], [0, 1, 4]]),
        ([10, 50, 50], 20, 1, [[0, 1], [0, 2]]),
        ([10], 5, 1, [[0]]),
    ],
)
def test_a_wide_table_comes_in_parts(widths: list[int], room: int, keys: int, found: list[list[int]]) -> None:
    assert output.parts(widths, room, keys) == found


def test_a_narrow_terminal_cuts_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(output, "results", lambda: Console(width=40))
    head = ["method", *(f"column {number}" for number in range(8))]
    output.show_table(head, [["beam50", *(f"value {number}" for number in range(8))]])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 40
    assert all(f"column {number}" in shown and f"value {number}" in shown for number in range(8))
    assert "…" not in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "yes"), (0.123456, "0.1235"), (12101, "12,101"), (None, "–"), ("", "–"), (["a", 2], "a, 2"), ("x", "x")],
)
def test_values_as_people_write_them(value: object, shown: str) -> None:
    assert output.plain(value) == shown


@pytest.mark.parametrize("as_json", [True, False])
def test_a_check_that_failed_leaves_with_one(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, output.verdict(as_json, LookupError):
        raise LookupError("line 3 is bad")
    assert left.value.exit_code == 1
    told = capsys.readouterr()
    if as_json:
        assert json.loads(told.out) == {"ok": False, "detail": "line 3 is bad"}
    else:
        assert told == ("", "line 3 is bad\n")
