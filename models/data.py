"""Loading datasets: built-in names, folders, own tables, raw Amazon 2014 files.

This module is the door to all data: the types of `models.dataset` and the helpers around them are re-exported.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.dataset import (
    Cases,
    Dataset,
    Items,
    Split,
    content_digest,
    renumber,
    seeded_order,
    shuffle_same_day,
)
from models.features import ItemTable, read_items
from models.interactions import Columns, Interactions, read_interactions
from models.profile import describe
from models.readers import DataError
from models.sources import Sources, find
from models.text import TextEncoder, describe_item

__all__ = [
    "Cases",
    "Columns",
    "DataError",
    "Dataset",
    "Items",
    "Split",
    "describe",
    "k_core_mask",
    "load",
    "renumber",
    "shuffle_same_day",
]


def load(
    name_or_path: str,
    data_dir: Path | None = None,
    *,
    items: Path | None = None,
    embeddings: Path | None = None,
    k_core: int = 0,
    seed: int = 0,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    text_encoder: TextEncoder | None = None,
) -> Dataset:
    """Load a dataset by name (inside `data_dir`), by folder or by interaction file.

    `items` and `embeddings` replace the files found beside the interactions; row i of the embeddings belongs to
    record i of the item file. Without embeddings, `text_encoder` (see `models.text`) computes them from title,
    category and brand. With `k_core` > 1, users and items with fewer rows are removed until none is left.
    Duplicates are kept; items nobody took are not part of the dataset. Equal data and seed give equal rows.
    Raises `DataError` with one sentence naming file and line.
    """
    if k_core < 0 or seed < 0:
        raise DataError(f"k_core and seed must not be negative, but are {k_core} and {seed}")
    sources = find(name_or_path, data_dir)
    sources = replace(sources, items=items or sources.items, embeddings=embeddings or sources.embeddings)
    if items and not embeddings:
        # Embeddings found by name are aligned with the item file found by name, not with this one.
        sources = replace(sources, embeddings=None)
    rows = read_interactions(sources.interactions, columns)
    if k_core > 1:
        rows = _only(rows, k_core_mask(rows.users, rows.items, k_core))
        if not len(rows.times):
            raise DataError(f"{sources.interactions}: nothing is left of this file after {k_core}-core filtering")
    return _build(sources, rows, seed, columns, text_encoder)


def k_core_mask(users: NDArray[np.int64], items: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Rows that remain when users and items with fewer than k rows are removed until none is left."""
    keep = np.ones(len(users), dtype=np.bool_)
    while keep.any():
        of_user = np.bincount(users[keep], minlength=int(users.max()) + 1)
        of_item = np.bincount(items[keep], minlength=int(items.max()) + 1)
        left = keep & (of_user[users] >= k) & (of_item[items] >= k)
        if left.sum() == keep.sum():
            break
        keep = left
    return keep


def _only(rows: Interactions, keep: NDArray[np.bool_]) -> Interactions:
    users, user_codes = np.unique(rows.users[keep], return_inverse=True)
    items, item_codes = np.unique(rows.items[keep], return_inverse=True)
    return Interactions(
        [rows.user_ids[u] for u in users], [rows.item_ids[i] for i in items], user_codes, item_codes, rows.times[keep]
    )


def _build(
    sources: Sources, rows: Interactions, seed: int, columns: Columns, text_encoder: TextEncoder | None
) -> Dataset:
    user_order, item_order = seeded_order(rows.user_ids, seed, 0), seeded_order(rows.item_ids, seed, 1)
    user_rows, item_rows = np.argsort(user_order)[rows.users], np.argsort(item_order)[rows.items] + 1
    order = np.lexsort((rows.times, user_rows))
    bounds = np.cumsum(np.bincount(user_rows, minlength=len(user_order)))[:-1]
    ids = [rows.item_ids[i] for i in item_order]
    users = [rows.user_ids[u] for u in user_order]
    sequences = np.split(item_rows[order].astype(np.int32), bounds)
    items = _items(sources, ids, columns, text_encoder)
    timestamps = np.split(rows.times[order], bounds)
    return Dataset(sources.name, items, users, sequences, timestamps, seed, content_digest(ids, users, sequences))


def _items(sources: Sources, ids: list[str], columns: Columns, text_encoder: TextEncoder | None) -> Items:
    empty = ItemTable({}, 0)
    table = read_items(sources.items, set(ids), item_column=columns.item) if sources.items else empty
    known = [table.items.get(item) for item in ids]
    category = [record.category if record else () for record in known]
    brand = [record.brand if record else "" for record in known]
    title = [record.title if record else "" for record in known]
    text = None
    if sources.embeddings:
        text = _gathered(sources, ids, table)
    elif text_encoder:
        words = zip(title, category, brand, strict=True)
        text = _encoded(ids, [describe_item(*parts) for parts in words], text_encoder)
    return Items(ids, text, category, brand, title)


def _gathered(sources: Sources, ids: list[str], table: ItemTable) -> NDArray[np.float16]:
    path = sources.embeddings
    assert path is not None
    if sources.items is None:
        raise DataError(f"{path}: embeddings need an item file that says which row is which item")
    missing = [item for item in ids if item not in table.items]
    if missing:
        raise DataError(f"{sources.items}: {len(missing)} items have no record, the first being {min(missing)!r}")
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy file ({error})") from None
    if not isinstance(rows, np.ndarray) or rows.shape[:1] != (table.records,):
        raise DataError(f"{path}: {np.shape(rows)} where {table.records} rows, one for each item record, are expected")
    return _checked(rows[[table.items[item].position for item in ids]], str(path))


def _encoded(ids: list[str], texts: list[str], text_encoder: TextEncoder) -> NDArray[np.float16]:
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    vectors = np.asarray(text_encoder([texts[i] for i in by_id]))
    if vectors.shape[:1] != (len(ids),):
        raise DataError(f"the text encoder returned shape {vectors.shape} for {len(ids)} items")
    rows = np.empty_like(vectors)
    rows[by_id] = vectors
    return _checked(rows, "the text encoder")


def _checked(rows: NDArray[Any], source: str) -> NDArray[np.float16]:
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise DataError(f"{source}: a two-dimensional array of floats is expected, not {rows.dtype} {rows.shape}")
    with np.errstate(over="ignore"):
        halves = rows.astype(np.float16)
    if not np.isfinite(halves).all():
        raise DataError(f"{source}: embeddings must be finite in half precision")
    return halves
