"""Arrays out of a file that may hold anything: of the kind that is wanted, or refused before memory is taken."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from service.engine import archive

WANTED: archive.Kinds = {"rows": (archive.WHOLE, 1)}
HEADER = b"{'descr': '<i4', 'fortran_order': False, 'shape': (%s), }\n"


def stored(path: Path, content: bytes, compressed: bool = False) -> Path:
    """An archive of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as file:
        file.writestr("rows.npy", content)
    return path


def npy(header: bytes, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values


def test_what_is_wanted_comes_back(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", rows=np.arange(3), more=np.zeros(2))
    assert archive.read(tmp_path / "some.npz", WANTED, "column")["rows"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [b"1000000000000,", b"-1,", b"0,", b"2,", b"4294967296, 4294967296"])
def test_a_header_that_promises_another_size_is_refused(tmp_path: Path, shape: bytes) -> None:
    file = stored(tmp_path / "some.npz", npy(HEADER % shape, bytes(4)))
    with pytest.raises(ValueError, match="not a readable array archive"):
        archive.read(file, WANTED, "column")


@pytest.mark.parametrize(
    "header", [b"(", b"[" * 5000, b"{'descr': '|O', 'fortran_order': False, 'shape': ()}", b"\xff"]
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, header: bytes) -> None:
    file = stored(tmp_path / "some.npz", npy(header, bytes(8)))
    with pytest.raises(ValueError, match="not a readable array archive"):
        archive.read(file, WANTED, "column")


def test_arrays_far_larger_than_their_file_are_refused_unread(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(archive.FREE, np.uint8))
    file = stored(tmp_path / "bomb.npz", stream.getvalue(), compressed=True)
    with pytest.raises(ValueError, match="far larger than itself"):
        archive.read(file, WANTED, "column")


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2), np.int32), np.int32(3), np.zeros(2), np.array(["a"]), np.zeros(2, "i4,f4")]
)
def test_another_kind_is_refused(tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    np.savez(tmp_path / "some.npz", rows=array)
    with pytest.raises(ValueError, match="column 'rows' is malformed"):
        archive.read(tmp_path / "some.npz", WANTED, "column")


def test_numbers_out_of_range_never_wrap() -> None:
    for values in ([2**40], [-1], [2**63 + 1], [5]):
        with pytest.raises(ValueError, match="should be from 0 to 4"):
            archive.whole(np.array(values), 0, 5)
    assert archive.whole(np.array([0, 4], np.uint16), 0, 5).dtype == np.int32


def test_texts_that_cannot_be_sent_are_refused() -> None:
    broken = np.frombuffer(np.array([0xD800], np.uint32).tobytes(), "<U1")
    with pytest.raises(ValueError, match="surrogates"):
        archive.texts(broken)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_numbers_that_no_table_holds_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="none, or too large"):
        archive.real(np.array([0.0, value]))


def test_a_character_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="a character that is none"):
        archive.texts(np.array([0x110000], np.uint32).view("<U1"))
