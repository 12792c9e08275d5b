"""Files that people write: size, form and every way to make YAML more than plain data."""

import os
from pathlib import Path

import pytest

from service import config_file
from service.config_file import MAX_BYTES, parse, read
from service.errors import KeysError

BOMB = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
WRONG = {
    "an alias": ("a: &x 1\nb: *x\n", "aliases"),
    "a bomb of aliases": (BOMB, "aliases"),
    "a key twice": ("a: 1\na: 2\n", "twice"),
    "a Python object": ("!!python/object/apply:os.system ['touch here']", "not YAML"),
    "a Python name": ("!!python/name:os.system", "not YAML"),
    "an unknown tag": ("!mine 1", "not YAML"),
    "half a list": ("[1, 2", "not YAML"),
    "tabs": ("a:\n\t- b", "not YAML"),
    "two documents": ("--- 1\n--- 2\n", "not YAML"),
    "endless nesting": ("[" * 1000, "not YAML"),
    "a date out of range": ("2026-99-99", "not YAML"),
    "a time that is none": ("!!timestamp x", "not YAML"),
    "a number to the base of 60": ("1" + ":1" * 300 + ".5", "not YAML"),
    "no text": ("\x00", "not YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_plain_data_is_refused_in_a_sentence(name: str) -> None:
    content, word = WRONG[name]
    with pytest.raises(KeysError, match=word) as caught:
        parse(content.encode(), KeysError)
    assert caught.value.detail.endswith((".", ")."))
    assert "\n" not in caught.value.detail


def test_too_long_or_no_utf8() -> None:
    with pytest.raises(KeysError, match="longer"):
        parse(b" " * (MAX_BYTES + 1), KeysError)
    with pytest.raises(KeysError, match="UTF-8"):
        parse(b"\xff\xfe", KeysError)


def test_json_and_a_byte_order_mark_are_fine() -> None:
    assert parse('\ufeff[{"a": 1}]'.encode(), KeysError) == [{"a": 1}]


def test_no_more_is_read_than_a_file_may_have(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * (MAX_BYTES + 100))
    assert len(read(tmp_path / "long")) == MAX_BYTES + 1


def test_neither_a_pipe_nor_a_folder_nor_a_device_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "nothing"):
        with pytest.raises(OSError, match=r".+"):
            config_file.read(path)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"[]")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read(tmp_path / "link") == b"[]"
