"""The reader of the service's log: errors nobody expects are kept apart, the file does not grow for ever."""

import json
from pathlib import Path

import pytest

from loadtest.bench.soak import log as soak_log
from loadtest.bench.soak.log import LogReader


def line(event: str, level: str = "error") -> str:
    return json.dumps({"event": event, "level": level}, separators=(",", ":")) + "\n"


def test_errors_are_told_apart(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        line("request", "info") + line("unhandled") + line("event-log") + "Traceback (most recent call last)\n"
    )
    reader = LogReader(log)
    reader.read()
    assert reader.errors == {"unhandled": 1, "no JSON": 1}
    assert reader.told == {"event-log": 1}
    assert "unhandled" in reader.examples["unhandled"]


def test_a_line_counts_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    log, whole = tmp_path / "log", line("unhandled")
    log.write_text(whole[:20])
    reader = LogReader(log)
    reader.read()
    assert not reader.errors
    for text, many in ((whole[20:], 1), (whole, 2), ("", 2)):
        with log.open("a") as file:
            file.write(text)
        reader.read()
        assert reader.errors["unhandled"] == many
    assert "unhandled" in reader.last()


def test_a_long_file_is_cut_and_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_log, "LONGEST", 100)
    log = tmp_path / "log"
    reader = LogReader(log)
    with log.open("a") as file:
        for many in range(1, 10):
            file.write(line("unhandled"))
            file.flush()
            reader.read()
            assert reader.errors["unhandled"] == many
            assert log.stat().st_size <= 100
