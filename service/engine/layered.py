"""Ids of a catalogue that grew: those it had stay one object in all revisions, new ones are a small layer on top."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar, overload

Other = TypeVar("Other")


def grown_ids(ids: Sequence[str], new: Sequence[str]) -> Sequence[str]:
    """`ids` and then `new`, in time that grows with what was ever added, not with `ids`."""
    if not new:
        return ids
    base, more = (ids.base, ids.more) if isinstance(ids, LayeredIds) else (ids, ())
    return LayeredIds(base, (*more, *new))


def grown_rows(rows: Mapping[str, int], new: Mapping[str, int]) -> Mapping[str, int]:
    """`rows` and `new`, which shares no id with them, in time that grows with what was ever added."""
    if not new:
        return rows
    base, more = (rows.base, rows.more) if isinstance(rows, LayeredRows) else (rows, {})
    return LayeredRows(base, {**more, **new})


class LayeredIds(Sequence[str]):
    """The ids of `base` and then those of `more`."""

    def __init__(self, base: Sequence[str], more: tuple[str, ...]) -> None:
        self.base, self.more = base, more

    def __len__(self) -> int:
        return len(self.base) + len(self.more)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...
    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        if isinstance(at, slice):
            return tuple(self[place] for place in range(*at.indices(len(self))))
        place = range(len(self))[at]
        beyond = place - len(self.base)
        return self.base[place] if beyond < 0 else self.more[beyond]

    def __iter__(self) -> Iterator[str]:
        return chain(self.base, self.more)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayeredIds | tuple):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))


class LayeredRows(Mapping[str, int]):
    """Rows by id: what `base` knows, and what `more` does."""

    def __init__(self, base: Mapping[str, int], more: Mapping[str, int]) -> None:
        self.base, self.more = base, more

    def __len__(self) -> int:
        return len(self.base) + len(self.more)

    def __iter__(self) -> Iterator[str]:
        return chain(self.base, self.more)

    def __getitem__(self, item_id: str) -> int:
        row = self.base.get(item_id)
        return self.more[item_id] if row is None else row

    @overload
    def get(self, item_id: str, /) -> int | None: ...
    @overload
    def get(self, item_id: str, /, default: int | Other) -> int | Other: ...
    def get(self, item_id: str, /, default: object = None) -> object:
        row = self.base.get(item_id)
        return self.more.get(item_id, default) if row is None else row
