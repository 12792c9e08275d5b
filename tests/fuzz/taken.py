"""Fuzz input as a supply of small choices, so that the same bytes mean the same with and without a fuzzer."""

from pydantic_core import to_json

LONGEST = 2000  # characters of a sentence


class Taken:
    """Takes values off the front of `data`; when it is used up, zeros and empty strings come."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def some(self, count: int) -> bytes:
        """At most `count` bytes."""
        head, self._data = self._data[:count], self._data[count:]
        return head

    def rest(self) -> bytes:
        """All that is left."""
        return self.some(len(self._data))

    def below(self, limit: int) -> int:
        """A number from 0 up to `limit`, exclusive, of one byte (of four where one is not enough)."""
        return int.from_bytes(self.some(1 if limit <= 256 else 4), "little") % limit

    def part(self) -> bytes:
        """Some bytes: their number comes first, as one byte."""
        return self.some(self.below(256))


def check_sentence(detail: str) -> None:
    """What a person is told is one line that is not endless and that JSON can hold."""
    assert detail.isprintable(), detail
    assert len(detail) < LONGEST, detail
    to_json(detail)
