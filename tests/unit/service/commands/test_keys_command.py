"""promise keys …: a key is shown once, and the lines it makes let it in."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.api.keys_file import digest
from service.api.live_keys import LiveKeys
from service.commands.keys import app
from service.errors import KeysError


def test_lines_of_several_keys_make_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    shown = [
        CliRunner().invoke(app, ["new", "shop", "--rate", "50", "--burst", "70", "--may-override"]),
        CliRunner().invoke(app, ["new", "app", "--per-day", "1000"]),
    ]
    assert [one.exit_code for one in shown] == [0, 0]
    path.write_text("".join(one.stdout for one in shown))
    keys = [one.stderr.split()[-1] for one in shown]
    assert not [key for key in keys if key in path.read_text()], "the file holds digests"
    live = LiveKeys(path)
    found = [live.find(key.encode()) for key in keys]
    assert [caller and caller.key.name for caller in found] == ["shop", "app"]
    assert live.keys[0].may_override
    listed = json.loads(CliRunner().invoke(app, ["check", str(path), "--json"]).stdout)
    assert [(key["name"], key["rate"], key["burst"], key["per_day"]) for key in listed["keys"]] == [
        ("shop", 50, 70, None),
        ("app", None, None, 1000),
    ]
    table = CliRunner().invoke(app, ["check", str(path)]).stdout
    assert "no limit" in table
    assert found[0] is not None
    assert found[0].key.digest.hex() not in table


def test_for_machines_key_and_entry_are_one_value() -> None:
    made = json.loads(CliRunner().invoke(app, ["new", "shop", "--json"]).stdout)
    assert made["entry"] == {"name": "shop", "sha256": digest(made["key"].encode()).hex()}


@pytest.mark.parametrize("options", [["bad name"], ["shop", "--rate", "0"], ["shop", "--burst", "5"]])
def test_what_would_be_no_entry_makes_no_key(options: list[str]) -> None:
    done = CliRunner().invoke(app, ["new", *options])
    assert isinstance(done.exception, KeysError)
    assert "pk_" not in done.output


def test_a_file_that_cannot_be_used_fails_the_check(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("keys: []")
    for path in ("keys.yaml", "nothing.yaml"):
        done = CliRunner().invoke(app, ["check", str(tmp_path / path)])
        assert (done.exit_code, path in done.stderr) == (1, True)
