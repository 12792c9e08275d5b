"""Between item ids, which callers speak, and rows, which the model speaks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.bundle import Catalogue

I32 = NDArray[np.int32]


@dataclass(frozen=True)
class History:
    """A history as rows: `rows` [T] the newest known items, oldest first; `seen` all known rows; the rest counted."""

    rows: I32
    seen: frozenset[int]
    unknown: int
    truncated: int


def resolve(catalogue: Catalogue, ids: Sequence[str], limit: int) -> History:
    """Look ids up, oldest first; unknown ones are skipped and counted, and so are those beyond the newest `limit`."""
    known = rows_of(catalogue, ids)
    newest = np.asarray(known[-limit:], np.int32)
    return History(newest, frozenset(known), len(ids) - len(known), len(known) - len(newest))


def rows_of(catalogue: Catalogue, ids: Sequence[str]) -> list[int]:
    """Rows of the ids the catalogue knows, in order, repeats kept."""
    return [row for row in map(catalogue.rows.get, ids) if row is not None]


def tokens(catalogue: Catalogue, rows: I32) -> tuple[I32, I32, I32]:
    """A batch of one for the encoder: codes [1,T,d], items [1,T], lengths [1]."""
    return catalogue.sids[rows - 1][None], rows[None], np.array([len(rows)], np.int32)


def popular(catalogue: Catalogue, excluded: Collection[int], k: int) -> list[int]:
    """The k most popular rows that are not excluded, best first."""
    head = catalogue.by_popularity[: k + len(excluded)].tolist()
    return [row for row in head if row not in excluded][:k]
