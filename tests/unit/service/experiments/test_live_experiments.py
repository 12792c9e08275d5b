"""The experiments file changes under a running service: good files are taken over, bad ones never."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import ExperimentsError
from service.experiments.config import Experiments
from service.experiments.live import LiveExperiments

GOOD = "experiments:\n- {name: %s, buckets: [{name: a, weight: 0.5}, {name: b, weight: 0.5}]}\n"
HOUR_AGO = 1e9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "experiments.yaml"
    file.write_text(GOOD % "one")
    return file


def names(live: LiveExperiments) -> list[str]:
    return [experiment.name for experiment in live.current.experiments]


def test_a_change_is_taken_over_once(path: Path) -> None:
    live = LiveExperiments(path)
    assert names(live) == ["one"]
    assert not live.refresh()
    path.write_text(GOOD % "two")
    assert live.refresh()
    assert (names(live), live.last_error) == (["two"], None)
    assert not live.refresh()


def test_a_change_of_equal_length_within_one_tick_of_the_clock_is_seen(path: Path) -> None:
    """Time and size of the file stay the same, as they may when it is written twice in a row."""
    live = LiveExperiments(path)
    before = path.stat()
    path.write_text(GOOD % "eno")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert live.refresh()
    assert names(live) == ["eno"]


def test_an_old_file_is_not_read_again(path: Path) -> None:
    os.utime(path, (HOUR_AGO, HOUR_AGO))
    checked: list[Experiments] = []
    live = LiveExperiments(path, checked.append)
    for _ in range(5):
        assert not live.refresh()
    assert len(checked) == 1


def test_a_replaced_file_is_seen_even_with_the_same_time(path: Path, tmp_path: Path) -> None:
    os.utime(path, (HOUR_AGO, HOUR_AGO))
    live = LiveExperiments(path)
    other = tmp_path / "other"
    other.write_text(GOOD % "two")
    os.utime(other, (HOUR_AGO, HOUR_AGO))
    os.replace(other, path)
    assert live.refresh()
    assert names(live) == ["two"]


def test_a_link_that_points_elsewhere_is_a_change(path: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link", tmp_path / "other"
    other.write_text(GOOD % "two")
    link.symlink_to(path)
    live = LiveExperiments(link)
    link.unlink()
    link.symlink_to(other)
    assert live.refresh()
    assert names(live) == ["two"]


def _delete(path: Path) -> None:
    path.unlink()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _write(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_delete, "No such file"),
        (_fifo, "not a regular file"),
        (_folder, "not a regular file"),
        (_write(b""), "list named experiments"),
        (_write((GOOD % "two").encode()[:60]), "not YAML"),
        (_write(b"\xff\xfe"), "UTF-8"),
        (_write(b"#" * (2 << 20)), "longer than"),
        (_write(b"experiments: [1"), "not YAML"),
        (_write((GOOD % "two").replace("0.5}]", "0.6}]").encode()), "sum to 1.1"),
    ],
)
def test_a_bad_file_keeps_the_old_experiments_and_says_why(
    path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    live = LiveExperiments(path)
    spoil(path)
    for _ in range(3):
        assert not live.refresh()
        assert names(live) == ["one"]
        assert live.last_error is not None
        assert str(path) in live.last_error
        assert words in live.last_error
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_text(GOOD % "three")
    assert live.refresh()
    assert (names(live), live.last_error) == (["three"], None)


def test_the_old_content_again_clears_the_error(path: Path) -> None:
    live = LiveExperiments(path)
    path.unlink()
    assert not live.refresh()
    assert live.last_error is not None
    path.write_text(GOOD % "one")
    assert not live.refresh()
    assert live.last_error is None


def test_the_check_has_the_last_word(path: Path) -> None:
    def check(experiments: Experiments) -> None:
        if experiments.named("two"):
            raise ExperimentsError("Nobody wants two.")

    live = LiveExperiments(path, check)
    path.write_text(GOOD % "two")
    assert not live.refresh()
    assert names(live) == ["one"]
    assert live.last_error is not None
    assert live.last_error.endswith("Nobody wants two.")


@pytest.mark.parametrize("spoil", [_delete, _write(b"experiments: 1")])
def test_a_bad_file_at_the_start_is_an_error(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    with pytest.raises(ExperimentsError, match=r"experiments\.yaml"):
        LiveExperiments(path)


def test_without_a_file_there_are_none_and_nothing_to_watch() -> None:
    live = LiveExperiments(None)
    assert not live.refresh()
    assert live.current == Experiments()
    asyncio.run(live.watch(0.01, _never, _never))


def _never(_: object) -> None:
    raise AssertionError("nothing happened")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([(GOOD % name).encode() for name in ("one", "two")])))
def test_whatever_is_written_the_last_good_file_rules(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("live") / "experiments.yaml"
    path.write_text(GOOD % "one")
    live, last = LiveExperiments(path), "one"
    for content in contents:
        path.write_bytes(content)
        good = content.startswith(b"experiments:\n- {name")
        before, last = last, content.decode()[22:25] if good else last
        assert live.refresh() == (before != last)
        assert names(live) == [last]
        assert (live.last_error is None) == good


def test_watching_tells_changes_and_each_error_once(path: Path) -> None:
    told: list[str] = []

    async def scenario() -> None:
        live = LiveExperiments(path)
        task = asyncio.create_task(live.watch(0.02, lambda found: told.append(found.experiments[0].name), told.append))
        for heard, content in enumerate((GOOD % "two", "experiments: [", GOOD % "three"), 1):
            _replace(path, content)
            while len(told) < heard:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # several more looks, which must have nothing to tell
        task.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert (told[0], told[2], len(told)) == ("two", "three", 3)
    assert "not YAML" in told[1]


def _replace(path: Path, content: str) -> None:
    """As a careful writer does it: no half of the file is ever there."""
    whole = path.with_suffix(".new")
    whole.write_text(content)
    os.replace(whole, path)


def test_a_file_that_is_still_growing_is_left_alone(path: Path) -> None:
    """Its first experiment alone would be a file without mistakes."""
    told: list[int] = []

    async def scenario() -> None:
        live = LiveExperiments(path)
        task = asyncio.create_task(live.watch(0.4, lambda found: told.append(len(found.experiments)), _never))
        await asyncio.sleep(0)
        with path.open("w") as stream:
            stream.write(GOOD % "e0")
            for number in range(1, 20):
                stream.write((GOOD % f"e{number}").partition("\n")[2])
                stream.flush()
                await asyncio.sleep(0.02)
        while not told:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert told == [20]
