"""Fetching from a local HTTP server that can break off, ignore ranges, change its files and send half an archive."""

import gzip
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from amazon_server import META, REVIEWS, Server, raw_reviews, serving

from models.data import load
from models.fetch import FetchError, FetchReport, fetch, progress_bar


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as behaviour:
        yield behaviour


def get(server: Server, folder: Path, attempts: int = 3) -> list[FetchReport]:
    return fetch("beauty", folder, server.url, timeout=5, attempts=attempts, pause=lambda _: None)


def is_complete(server: Server, folder: Path) -> bool:
    present = {path.name for path in folder.iterdir()}
    wanted = {REVIEWS, META, f"{REVIEWS}.sha256", f"{META}.sha256"}
    return present == wanted and all((folder / name).read_bytes() == server.files[name] for name in (REVIEWS, META))


def test_both_files_arrive_with_a_checksum_beside_them_and_load(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    reports = get(server, folder)
    assert is_complete(server, folder)
    for report, name in zip(reports, (REVIEWS, META), strict=True):
        digest = hashlib.sha256(server.files[name]).hexdigest()
        assert report == FetchReport(
            folder / name, f"{server.url}/{name}", digest, len(server.files[name]), "downloaded"
        )
        assert (folder / f"{name}.sha256").read_text() == f"{digest}  {name}\n"
    dataset = load("beauty", folder)
    assert len(dataset.users) == 50
    assert dataset.items.title[0].startswith("It's no.")


def test_a_second_run_verifies_and_asks_nothing(server: Server, tmp_path: Path) -> None:
    first = get(server, tmp_path)
    asked = len(server.asked)
    second = get(server, tmp_path)
    assert len(server.asked) == asked
    assert [report.status for report in second] == ["verified", "verified"]
    assert [report.sha256 for report in second] == [report.sha256 for report in first]


def test_a_file_changed_on_disk_is_found(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path)
    (tmp_path / REVIEWS).write_bytes(gzip.compress(b"something else"))
    with pytest.raises(FetchError, match=rf"{REVIEWS}: does not match the checksum in {REVIEWS}\.sha256"):
        get(server, tmp_path)


def test_a_file_put_there_by_hand_is_checked_and_recorded(server: Server, tmp_path: Path) -> None:
    (tmp_path / REVIEWS).write_bytes(server.files[REVIEWS])
    (tmp_path / META).write_bytes(server.files[META][:-9])
    with pytest.raises(FetchError, match=rf"{META}: not a whole gzip file, delete it"):
        get(server, tmp_path)
    assert (tmp_path / f"{REVIEWS}.sha256").is_file()
    (tmp_path / META).unlink()
    assert [report.status for report in get(server, tmp_path)] == ["verified", "downloaded"]


def test_a_broken_connection_is_taken_up_within_one_call(server: Server, tmp_path: Path) -> None:
    server.break_after = [1000, 500, 2000]
    assert get(server, tmp_path)[0].status == "resumed"
    assert is_complete(server, tmp_path)
    ranges = [asked for path, asked, _, _ in server.asked if path == f"/{REVIEWS}"]
    assert ranges == [None, "bytes=1000-", "bytes=1500-", "bytes=3500-"]


def test_a_broken_transfer_is_resumed_by_the_next_call(server: Server, tmp_path: Path) -> None:
    server.break_after = [1000]
    with pytest.raises(FetchError, match=f"after 1000 of {len(server.files[REVIEWS])} bytes; 1000 bytes are kept"):
        get(server, tmp_path, attempts=1)
    assert not (tmp_path / REVIEWS).exists()
    reports = get(server, tmp_path, attempts=1)
    assert [report.status for report in reports] == ["resumed", "downloaded"]
    assert is_complete(server, tmp_path)
    assert server.asked[1][1:3] == ("bytes=1000-", f'"{hashlib.sha256(server.files[REVIEWS]).hexdigest()[:16]}"')


def interrupted(server: Server, folder: Path) -> None:
    server.break_after = [1000]
    with pytest.raises(FetchError):
        get(server, folder, attempts=1)
    assert (folder / f"{REVIEWS}.part").stat().st_size == 1000


def test_a_file_that_changed_in_between_is_begun_anew(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path)
    server.files[REVIEWS] = gzip.compress(raw_reviews())
    assert get(server, tmp_path)[0].status == "downloaded"
    assert is_complete(server, tmp_path)
    assert server.statuses_of(REVIEWS) == [200, 200]


def test_a_server_without_ranges_is_begun_anew(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path)
    server.ranges = False
    assert get(server, tmp_path)[0].status == "downloaded"
    assert is_complete(server, tmp_path)


@pytest.mark.parametrize("behaviour", [{"validators": False}, {"weak": True}])
def test_without_a_strong_validator_nothing_is_joined(
    server: Server, tmp_path: Path, behaviour: dict[str, bool]
) -> None:
    vars(server).update(behaviour)
    interrupted(server, tmp_path)
    assert get(server, tmp_path)[0].status == "downloaded"
    assert is_complete(server, tmp_path)
    assert [asked for _, asked, _, _ in server.asked] == [None, None, None]


def test_a_server_that_continues_at_another_byte_is_begun_anew(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path)
    server.wrong_start = True
    get(server, tmp_path)
    assert is_complete(server, tmp_path)
    assert server.statuses_of(REVIEWS) == [200, 206, 200]


@pytest.mark.parametrize(
    ("extra", "statuses", "status"), [(b"", [200, 416], "resumed"), (b"x", [200, 416, 200], "downloaded")]
)
def test_nothing_left_to_send(server: Server, tmp_path: Path, extra: bytes, statuses: list[int], status: str) -> None:
    interrupted(server, tmp_path)
    (tmp_path / f"{REVIEWS}.part").write_bytes(server.files[REVIEWS] + extra)
    assert get(server, tmp_path)[0].status == status
    assert is_complete(server, tmp_path)
    assert server.statuses_of(REVIEWS) == statuses


def test_an_archive_that_is_cut_short_on_the_server_is_discarded(server: Server, tmp_path: Path) -> None:
    whole = server.files[REVIEWS]
    server.files[REVIEWS] = whole[:-100]
    with pytest.raises(FetchError, match=rf"/{REVIEWS}: what the server sent is not a whole gzip file"):
        get(server, tmp_path)
    assert not any(path.suffix in (".part", ".gz") for path in tmp_path.iterdir())
    server.files[REVIEWS] = whole
    get(server, tmp_path)
    assert is_complete(server, tmp_path)


def test_an_unannounced_end_is_noticed_by_the_archive(server: Server, tmp_path: Path) -> None:
    server.lengths, server.break_after = False, [1000]
    with pytest.raises(FetchError, match="not a whole gzip file"):
        get(server, tmp_path)
    assert not (tmp_path / REVIEWS).exists()


def test_an_overloaded_server_is_asked_again_and_a_refusal_is_final(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    get(server, tmp_path)
    assert is_complete(server, tmp_path)
    assert server.statuses_of(REVIEWS) == [503, 429, 200]
    server.statuses = [503] * 9
    with pytest.raises(FetchError, match="the server answered 503; 0 bytes are kept"):
        get(server, tmp_path / "other")
    server.statuses = [403]
    with pytest.raises(FetchError, match=r"'Forbidden' \(403\)"):
        get(server, tmp_path / "other")


def test_absent_files_hosts_servers_and_odd_addresses_are_one_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"/reviews_Nothing_5\.json\.gz: there is no such file \(404\)"):
        fetch("Nothing", tmp_path, server.url)
    with pytest.raises(FetchError, match="host name cannot be resolved"):
        fetch("beauty", tmp_path, "http://no-such-host.invalid")
    with pytest.raises(FetchError, match="only http and https"):
        fetch("beauty", tmp_path, tmp_path.as_uri())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FetchError, match="no connection"):
            fetch("beauty", tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}", attempts=1)


def test_a_silent_server_times_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(FetchError, match="timed out"):
            fetch("beauty", tmp_path, url, timeout=0.05, attempts=1)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match=r"file/reviews_Beauty_5\.json\.gz: cannot be written"):
        get(server, tmp_path / "file")


def test_progress_runs_from_the_kept_bytes_to_all(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path)
    seen: list[tuple[str, int, int | None]] = []
    fetch("beauty", tmp_path, server.url, progress=lambda *step: seen.append(step))
    reviews = [(done, total) for name, done, total in seen if name == REVIEWS]
    size = len(server.files[REVIEWS])
    assert (reviews[0], reviews[-1]) == ((1000, size), (size, size))
    assert reviews == sorted(reviews)


def test_the_bar_names_the_files(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as progress:
        fetch("beauty", tmp_path, server.url, progress=progress)
    assert "meta_Beauty" in capsys.readouterr().out
