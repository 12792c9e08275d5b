"""What is put on disk is there whole or not at all: folders, weights; and progress is counted up to its end."""

import resource
from pathlib import Path

import pytest
import torch

from models.advance import counted
from models.saving import SaveError, save
from models.staging import replaced, staged


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def cut(folder: Path, error: BaseException) -> None:
    with staged(folder) as staging:
        (staging / "a").write_text("after")
        raise error


def test_a_folder_gives_way_to_a_finished_one(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "left").write_text("by a run that was killed")
    for text in ("first", "second"):
        with staged(tmp_path / "out") as staging:
            (staging / text).write_text(text)
    assert files(tmp_path) == {"out/second": "second"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    with staged(tmp_path / "out") as staging:
        (staging / "a").write_text("before")
    with pytest.raises(error):
        cut(tmp_path / "out", error())
    assert files(tmp_path) == {"out/a": "before"}


def test_a_stop_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(tmp_path / "out") as staging:
        (staging / "a").write_text("before")
    rename = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        if self.suffix == ".partial":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "out"):
        pass
    assert files(tmp_path) == {"out/a": "before"}
    (tmp_path / "out").rename(tmp_path / "out.before")  # killed there
    with pytest.raises(OSError, match="cut"):
        cut(tmp_path / "out", OSError("cut"))
    assert files(tmp_path) == {"out/a": "before"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, error: type[BaseException]) -> None:
    def written(text: str, wrong: BaseException | None = None) -> None:
        with replaced(tmp_path / "a.json") as partial:
            partial.write_text(text)
            if wrong:
                raise wrong

    written("before")
    with pytest.raises(error):
        written("half", error())
    assert files(tmp_path) == {"a.json": "before"}
    written("after")
    assert files(tmp_path) == {"a.json": "after"}


def test_weights_that_do_not_fit_on_the_disk_leave_the_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "run" / "last.pt"
    save({"weight": torch.zeros(1)}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, limits[1]))  # fails a longer write as a full disk would
        with pytest.raises(SaveError, match=r"last\.pt: cannot be written"):
            save({"weight": torch.zeros(1 << 16)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.load(path, weights_only=True)["weight"].numel() == 1
    assert [file.name for file in path.parent.iterdir()] == ["last.pt"]


def test_progress_counts_up_to_its_end() -> None:
    told: list[tuple[str, int, int]] = []
    more = counted(lambda *step: told.append(step), "users", 5)
    for count in (2, 2, 1):
        more(count)
    assert told == [("users", 2, 5), ("users", 4, 5), ("users", 5, 5)]
