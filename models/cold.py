"""Items that nobody has taken yet: held out for a test, and given semantic IDs from what is known of their content."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset, Items, content_digest

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
_STREAM = 5


class ColdError(ValueError):
    """Items cannot be held out or placed as asked; one sentence."""


@dataclass(frozen=True)
class Cold:
    """A dataset as it was before some of its items existed.

    warm: the dataset without them, rows numbered anew. rows int32 [C]: the items held out, by their rows in the whole
    dataset, ascending. place int32 [I + 1]: where every row of the whole dataset is afterwards, 1 .. W the warm ones
    and W + 1 .. I the cold ones in the order of `rows`; 0 stays 0.
    """

    warm: Dataset
    rows: I32
    place: I32

    @property
    def first(self) -> int:
        """Places from here on are those of cold items."""
        return len(self.warm.items.ids) + 1


def hold_out(dataset: Dataset, share: float, seed: int) -> Cold:
    """Take a seeded share of the items, at least one, out of the catalogue and out of every sequence.

    What is left of a sequence is split as any other: training sees less of users with a cold item near the end,
    and never an item of the last two of the whole sequence that the whole dataset would not train on.

    Raises:
        ColdError: nothing or everything would be held out.
    """
    items = len(dataset.items.ids)
    count = max(1, round(share * items))
    if not 0 < share < 1 or count >= items:
        raise ColdError(f"a share of {share} of {items} items cannot be held out")
    rows = np.sort(np.random.default_rng([seed, _STREAM]).permutation(items)[:count] + 1).astype(np.int32)
    warm = np.setdiff1d(np.arange(1, items + 1, dtype=np.int32), rows)
    place = np.zeros(items + 1, np.int32)
    place[np.concatenate([warm, rows])] = np.arange(1, items + 1, dtype=np.int32)
    return Cold(_only(dataset, warm, place), rows, place)


def _only(dataset: Dataset, warm: I32, place: I32) -> Dataset:
    kept = [place[sequence] <= len(warm) for sequence in dataset.sequences]
    sequences = [place[s[keep]] for s, keep in zip(dataset.sequences, kept, strict=True)]
    times = [t[keep] for t, keep in zip(dataset.timestamps, kept, strict=True)]
    items = chosen_items(dataset.items, warm)
    digest = content_digest(items.ids, dataset.users, sequences)
    return replace(dataset, items=items, sequences=sequences, timestamps=times, digest=digest)


def chosen_items(items: Items, rows: I32) -> Items:
    """What is known of these rows, in this order."""
    at = [int(row) - 1 for row in rows]
    text = None if items.text is None else items.text[at]
    return Items(
        [items.ids[i] for i in at],
        text,
        [items.category[i] for i in at],
        [items.brand[i] for i in at],
        [items.title[i] for i in at],
    )


def semantic_ids(codes: I32, vectors: F32, new: F32, codebook: int) -> I32:
    """Codes [N, d] of new items with vectors [N, E], given those of known ones, codes [I, d] and vectors [I, E].

    Depth by depth the nearest centroid, the mean of what the depths above left of the known items with that code; the
    last code is the nearest that is free under the parent.

    Raises:
        ColdError: no code is left free below an item's parent.
    """
    residual, left = vectors.astype(np.float32), new.astype(np.float32)
    depth, taken = codes.shape[1], set(map(tuple, codes.tolist()))
    found = np.zeros((len(new), depth), np.int32)
    for level in range(depth):
        centroids, known = _centroids(residual, codes[:, level], codebook)
        cost = np.where(known, (centroids**2).sum(1) - 2 * left @ centroids.T, np.inf)
        if level == depth - 1:
            break
        found[:, level] = cost.argmin(1)
        residual = residual - centroids[codes[:, level]]
        left = left - centroids[found[:, level]]
    for row, order in zip(found, np.argsort(cost, axis=1, kind="stable"), strict=True):
        stem = tuple(row[:-1].tolist())
        free = next((int(code) for code in order if (*stem, int(code)) not in taken), None)
        if free is None:
            raise ColdError(f"no semantic ID is left below {stem}; raise depth or codebook")
        row[-1] = free
        taken.add((*stem, free))
    return found


def _centroids(residual: F32, codes: I32, codebook: int) -> tuple[F32, NDArray[np.bool_]]:
    """Mean residual [M, E] of the items with each code, and bool [M]: is there any?"""
    count = np.bincount(codes, minlength=codebook)
    total = np.zeros((codebook, residual.shape[1]), np.float32)
    np.add.at(total, codes, residual)
    return total / np.maximum(count, 1).astype(np.float32)[:, None], count > 0
