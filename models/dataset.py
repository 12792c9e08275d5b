"""The dataset every other module works on: items, users, and their sequences in time order.

Internal item rows and the order of users come from a seeded permutation of the sorted ids, never from the order
of a file: numbering items by first appearance leaks the future into every tie.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.readers import DataError

SECONDS_PER_DAY = 86_400
# Leave-one-out takes two items away; a user with fewer than this many would be judged on an empty history.
FEWEST_EVALUATED = 3


@dataclass(frozen=True)
class Items:
    """The catalogue. Tensors of models use rows 1..I (0 is padding); row r stands at index r-1 here.

    `text` is float16 [I, E] or None when the source has no embeddings; unknown category, brand and title are
    empty. Titles are for encoding text only and never leave in a bundle.
    """

    ids: list[str]
    text: NDArray[np.float16] | None
    category: list[tuple[str, ...]]
    brand: list[str]
    title: list[str]


class Cases(NamedTuple):
    """Evaluation cases: `histories[n]` (int32 rows, oldest first) is asked to predict `targets[n]` (int32 [V])."""

    histories: list[NDArray[np.int32]]
    targets: NDArray[np.int32]


@dataclass(frozen=True)
class Split:
    """Leave-one-out. Setting A trains without the last two items of a user, setting B without the last.

    `train` has one entry per user of the dataset; `evaluated` (int32 [V]) indexes the users with at least three
    interactions, to whom `validation` (the item before last) and `test` (the last item; its history includes the
    validation item) belong, in that order. Users with fewer are never judged, so all they have is trained on.
    In setting B the validation targets are part of the training sequences: use them for selection in A only.
    """

    setting: Literal["A", "B"]
    train: list[NDArray[np.int32]]
    validation: Cases
    test: Cases
    evaluated: NDArray[np.int32]


@dataclass(frozen=True)
class Dataset:
    """Users and the item rows (int32, 1..I) they took in time order, with times in seconds (int64) beside.

    `digest` is a sha256 over users, item ids and their order, independent of seed and row numbers. `shuffled`: the
    seed that ordered the items of one day, None for the order of the file.
    """

    name: str
    items: Items
    users: list[str]
    sequences: list[NDArray[np.int32]]
    timestamps: list[NDArray[np.int64]]
    seed: int
    digest: str
    shuffled: int | None = None

    def split(self, setting: Literal["A", "B"]) -> Split:
        """Split by leave-one-out; see `Split`."""
        if setting not in ("A", "B"):
            raise DataError(f"unknown setting {setting!r}, A or B expected")
        held_out = 2 if setting == "A" else 1
        evaluated = [u for u, sequence in enumerate(self.sequences) if len(sequence) >= FEWEST_EVALUATED]
        train = [s[:-held_out] if len(s) >= FEWEST_EVALUATED else s for s in self.sequences]
        judged = [self.sequences[u] for u in evaluated]
        return Split(setting, train, _cases(judged, 2), _cases(judged, 1), np.asarray(evaluated, dtype=np.int32))


def _cases(sequences: list[NDArray[np.int32]], from_end: int) -> Cases:
    targets = np.asarray([sequence[-from_end] for sequence in sequences], dtype=np.int32)
    return Cases([sequence[:-from_end] for sequence in sequences], targets)


def seeded_order(ids: list[str], seed: int, stream: int) -> NDArray[np.int64]:
    """Positions in `ids` in seeded order; depends on the set of ids and the seed, not on the order of `ids`."""
    by_id = np.asarray(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    return np.random.default_rng([seed, stream]).permutation(by_id)


def content_digest(ids: list[str], users: list[str], sequences: list[NDArray[np.int32]]) -> str:
    content = hashlib.sha256()
    for user in sorted(range(len(users)), key=users.__getitem__):
        record = [users[user], *(ids[row - 1] for row in sequences[user].tolist())]
        content.update(json.dumps(record).encode() + b"\n")
    return content.hexdigest()


def renumber(dataset: Dataset, seed: int) -> Dataset:
    """The same data under another seeded permutation of the item rows; users keep their order."""
    old = dataset.items
    order = seeded_order(old.ids, seed, 1)
    new_row = np.argsort(order).astype(np.int32) + 1
    items = Items(
        [old.ids[i] for i in order],
        None if old.text is None else old.text[order],
        [old.category[i] for i in order],
        [old.brand[i] for i in order],
        [old.title[i] for i in order],
    )
    sequences = [new_row[sequence - 1] for sequence in dataset.sequences]
    return replace(dataset, items=items, sequences=sequences, seed=seed)


def shuffle_same_day(dataset: Dataset, seed: int) -> Dataset:
    """The same data with the items a user took on one day (UTC) in seeded random order.

    Public timestamps are days and files list a day by item id, so the order within a day is an artefact.
    """
    times, rows = np.concatenate(dataset.timestamps), np.concatenate(dataset.sequences)
    lengths = [len(sequence) for sequence in dataset.sequences]
    user = np.repeat(np.arange(len(lengths)), lengths)
    chance = np.random.default_rng([seed, 2]).random(len(rows))
    order = np.lexsort((chance, times // SECONDS_PER_DAY, user))
    bounds = np.cumsum(lengths)[:-1]
    sequences, timestamps = np.split(rows[order], bounds), np.split(times[order], bounds)
    digest = content_digest(dataset.items.ids, dataset.users, sequences)
    return replace(dataset, sequences=sequences, timestamps=timestamps, digest=digest, shuffled=seed)
