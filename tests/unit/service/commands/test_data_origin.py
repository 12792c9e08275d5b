"""Where the data of a run lies: noted beside its bundles, and a note that was spoiled is one sentence."""

from pathlib import Path

import pytest

from service.commands.data_origin import NOTE, Origin, note, origin_of
from service.errors import StartError

SAID = ("", Path("data"), "user_id,item_id,timestamp", 0)


def test_what_a_run_noted_counts_where_nothing_names_the_data(tmp_path: Path) -> None:
    noted = Origin("beauty", str(tmp_path), "a,b,c", 5)
    note(tmp_path / "run", noted)
    assert origin_of(tmp_path / "run" / "bundle", *SAID) == noted
    assert origin_of(tmp_path / "run" / "bundle", "sports", *SAID[1:]) == Origin("sports", "data", *SAID[2:])
    assert origin_of(tmp_path / "elsewhere" / "bundle", *SAID) == Origin("", "data", *SAID[2:])


@pytest.mark.parametrize("text", ["", '{"source"', "[1]", '{"folder": "x"}', "{}"])
def test_a_spoiled_note_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / NOTE).write_text(text)
    with pytest.raises(StartError, match="is not what `promise train` wrote"):
        origin_of(tmp_path / "bundle", *SAID)
