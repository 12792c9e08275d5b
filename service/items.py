"""Between item ids, which callers speak, and rows, which the model speaks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue

I32 = NDArray[np.int32]


@dataclass(frozen=True)
class History:
    """A history as rows: `rows` [T] the newest known items, oldest first; `seen` all known rows; the rest counted.

    `stored`: it came from the store, not with the request.
    """

    rows: I32
    seen: frozenset[int]
    unknown: int
    truncated: int
    stored: bool = False


def resolve(catalogue: Catalogue, ids: Sequence[str], limit: int, block: int = 1) -> History:
    """Look ids up, oldest first; unknown ones are skipped and counted, and so are those beyond the newest `limit`.

    The oldest are left out by whole blocks: the items read then begin with the same one for `block` events.
    """
    known = rows_of(catalogue, ids)
    left_out = -(-max(0, len(known) - limit) // block) * block
    newest = np.asarray(known[left_out:], np.int32)
    return History(newest, frozenset(known), len(ids) - len(known), len(known) - len(newest))


def rows_of(catalogue: Catalogue, ids: Sequence[str]) -> list[int]:
    """Rows of the ids the catalogue knows, in order, repeats kept."""
    return [row for row in map(catalogue.rows.get, ids) if row is not None]


def tokens(catalogue: Catalogue, rows: I32) -> tuple[I32, I32, I32]:
    """A batch of one for the encoder: codes [1,T,d], items [1,T] (0 where no row was learned), lengths [1]."""
    items = np.where(rows > catalogue.learned, np.int32(0), rows)
    return catalogue.sids[rows - 1][None], items[None], np.array([len(rows)], np.int32)


def read_of(catalogue: Catalogue, history: History) -> tuple[I32, I32]:
    """What the encoder reads of a history, codes [T,d] and items [T], as `tokens` says it; every request pays this."""
    rows = history.rows
    learned = max(history.seen) <= catalogue.learned
    return catalogue.sids.take(rows - 1, 0), rows if learned else np.where(rows > catalogue.learned, np.int32(0), rows)


def popular(
    catalogue: Catalogue, excluded: Collection[int], k: int, allowed_rows: NDArray[np.bool_] | None = None
) -> list[int]:
    """The k most popular rows on offer that are neither excluded nor, with a mask [I+1], False in it; best first."""
    ranked = catalogue.by_popularity
    if allowed_rows is not None:
        ranked = ranked[allowed_rows.take(ranked)]
    head = ranked[: k + len(excluded)].tolist()
    return [row for row in head if row not in excluded][:k]
