"""Own tables and raw Amazon files are read row by row, and what is wrong is named by file and line."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.interactions import Columns, Interactions, read_interactions
from models.readers import DataError

HEADER = "user_id,item_id,timestamp\n"
REVIEW = {
    "reviewerID": "U1",
    "asin": "A1",
    "unixReviewTime": 1318896000,
    "reviewText": "good, \u00fc\n",
    "overall": 5.0,
}


def written(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows_of(read: Interactions) -> list[tuple[str, str, int]]:
    columns = zip(read.users.tolist(), read.items.tolist(), read.times.tolist(), strict=True)
    return [(read.user_ids[user], read.item_ids[item], time) for user, item, time in columns]


def read_csv(folder: Path, text: str, name: str = "own.csv") -> list[tuple[str, str, int]]:
    return rows_of(read_interactions(written(folder / name, text), Columns()))


@pytest.mark.parametrize("name", ["own.csv", "own.csv.gz"])
def test_csv_keeps_file_order_duplicates_and_extra_columns(tmp_path: Path, name: str) -> None:
    text = '\ufeffrating,item_id,user_id,timestamp\r\n5,"a,1",u2,20\r\n\r\n4,b,u1,10\r\n5,"a,1",u2,20\r\n'
    assert read_csv(tmp_path, text, name) == [("u2", "a,1", 20), ("u1", "b", 10), ("u2", "a,1", 20)]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "who,what,when\nu,a,1\n")
    assert rows_of(read_interactions(path, Columns("who", "what", "when"))) == [("u", "a", 1)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 86400 ", 86400),
        ("1.5e9", 1_500_000_000),
        ("12.75", 12),
        ("1970-01-02", 86400),
        ("1970-01-02T00:00:01Z", 86401),
        ("1970-01-02T01:00:00+01:00", 86400),
    ],
)
def test_times_are_seconds_or_iso_8601(tmp_path: Path, text: str, seconds: int) -> None:
    assert read_csv(tmp_path, f"{HEADER}u,a,{text}\n") == [("u", "a", seconds)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no column 'user_id'", "none at all"]),
        ("user_id,item_id,time\nu,a,1\n", ["no column 'timestamp'", "user_id, item_id, time"]),
        (HEADER, ["no interactions"]),
        (f"{HEADER}u,a,1\n,a,1\n", ["line 3", "user id is empty"]),
        (f"{HEADER}u,  ,1\n", ["line 2", "item id is empty"]),
        (f"{HEADER}u,a,1\nu,b\n", ["line 3", "2 fields, 3 expected"]),
        (f'{HEADER}u,a,1\nu,"b,1\n', ["line 3", "unexpected end"]),
        *((f"{HEADER}u,a,{time}\n", ["line 2", "unknown"]) for time in ("", "soon", "nan", "inf", "1_0", "12/24/2013")),
        *((f"{HEADER}u,a,{time}\n", ["line 2", "out of range"]) for time in ("-1", "1318896000000", "1e300")),
    ],
)
def test_a_malformed_csv_is_named_by_file_and_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in ["own.csv", *words]), message


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.csv.*not UTF-8"):
        read_interactions(written(tmp_path / "own.csv", HEADER.encode() + b"u,\xff\xfe,1\n"), Columns())


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv.gz", HEADER + "".join(f"user{n},item{n * n},{n}\n" for n in range(5000)))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"own\.csv\.gz: truncated or damaged gzip"):
        read_interactions(path, Columns())
    path.write_bytes(b"user_id,item_id,timestamp\nu,a,1\n")
    with pytest.raises(DataError, match=r"own\.csv\.gz: truncated or damaged gzip"):
        read_interactions(path, Columns())


def test_absent_files_and_unknown_kinds_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_interactions(tmp_path / "none.csv", Columns())
    with pytest.raises(DataError, match=r"none\.xls: unknown kind of file"):
        read_interactions(tmp_path / "none.xls", Columns())


@pytest.mark.parametrize(
    "times",
    [
        [1.9, 86400.0],
        [datetime(1970, 1, 1, 0, 0, 1, 999, UTC), datetime(1970, 1, 2, tzinfo=UTC)],
        [1, 86400],
        ["1", "1970-01-02"],
    ],
)
def test_parquet_times_may_be_numbers_or_moments(tmp_path: Path, times: list[object]) -> None:
    pq.write_table(pa.table({"user_id": [7, 8], "item_id": ["a", "b"], "timestamp": times}), tmp_path / "own.parquet")
    rows = rows_of(read_interactions(tmp_path / "own.parquet", Columns()))
    assert rows == [("7", "a", 1), ("8", "b", 86400)]


def test_parquet_dates_are_midnight(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": [date(1970, 1, 3)]})
    pq.write_table(table, tmp_path / "own.parquet")
    assert rows_of(read_interactions(tmp_path / "own.parquet", Columns())) == [("u", "a", 2 * 86400)]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("timestamp", [1, None], ["row 2", "unknown"]),
        ("item_id", ["a", None], ["row 2", "item id is None"]),
        ("user_id", [1.0, 2.0], ["row 1", "user id is 1.0"]),
    ],
)
def test_a_malformed_parquet_row_is_named(tmp_path: Path, name: str, values: list[object], words: list[str]) -> None:
    columns: dict[str, list[object]] = {"user_id": ["u", "v"], "item_id": ["a", "b"], "timestamp": [1, 2]}
    pq.write_table(pa.table(columns | {name: values}), tmp_path / "own.parquet")
    with pytest.raises(DataError) as caught:
        read_interactions(tmp_path / "own.parquet", Columns())
    assert all(word in str(caught.value) for word in ["own.parquet", *words])


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.parquet: not a readable Parquet file"):
        read_interactions(written(tmp_path / "own.parquet", HEADER), Columns())


def test_raw_reviews(tmp_path: Path) -> None:
    lines = [REVIEW, REVIEW | {"reviewerID": "U0", "asin": "B2", "unixReviewTime": 5}]
    path = written(tmp_path / "reviews_X_5.json.gz", "".join(json.dumps(line) + "\n" for line in lines))
    assert rows_of(read_interactions(path, Columns())) == [("U1", "A1", 1318896000), ("U0", "B2", 5)]


def test_a_raw_review_without_a_time_takes_the_one_before(tmp_path: Path) -> None:
    lost = [REVIEW | {"asin": "A2", "unixReviewTime": 0}, {"reviewerID": "U1", "asin": "A3"}]
    path = written(tmp_path / "reviews_X_5.json.gz", "".join(json.dumps(line) + "\n" for line in [REVIEW, *lost]))
    assert [time for _, _, time in rows_of(read_interactions(path, Columns()))] == [REVIEW["unixReviewTime"]] * 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{'asin': 'A1'}", "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ("[" * 5000, "not a JSON object"),
        (json.dumps(REVIEW | {"unixReviewTime": "soon"}), "timestamp 'soon' is unknown"),
        (json.dumps(REVIEW | {"asin": None}), "item id is None"),
    ],
)
def test_a_malformed_review_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = written(tmp_path / "reviews_X_5.json.gz", f"{json.dumps(REVIEW)}\n{line}\n")
    with pytest.raises(DataError, match=rf"reviews_X_5\.json\.gz, line 2: .*{words}"):
        read_interactions(path, Columns())
