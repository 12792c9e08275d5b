"""What a bundle may say about its items: plain facts and made-up histories, never a title, a user or a sequence."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.collaborative import cooccurrence
from models.dataset import Dataset, Split

I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Listing:
    """Facts per item row: ids, training interactions int32 [I], category path, brand; and sample histories of ids."""

    ids: list[str]
    popularity: I32
    category: list[str]
    brand: list[str]
    samples: list[list[str]]


def listing(dataset: Dataset, split: Split, samples: int = 50) -> Listing:
    """The listing of a dataset as `split` lets training see it."""
    items = dataset.items
    return Listing(
        ids=items.ids,
        popularity=popularity(split, len(items.ids)),
        category=[" > ".join(path) for path in items.category],
        brand=items.brand,
        samples=[[items.ids[row - 1] for row in walk] for walk in walks(split, len(items.ids), samples, dataset.seed)],
    )


def popularity(split: Split, items: int) -> I32:
    """Training interactions int32 [I] of every item."""
    rows = np.concatenate(split.train)
    return np.bincount(rows, minlength=items + 1)[1:].astype(np.int32)


def walks(split: Split, items: int, count: int, seed: int) -> list[list[int]]:
    """Up to `count` histories of 3 to 12 item rows: walks over co-occurrence counts, so that no user is given away.

    A walk that is some user's whole sequence is dropped, as is one that cannot get as far as 3 items.
    """
    counts = cooccurrence(split.train, items, window=3)
    starts = np.flatnonzero(np.diff(counts.indptr))
    rng = np.random.default_rng(seed)
    found = [
        _walk(counts, int(rng.choice(starts)), int(rng.integers(3, 13)), rng)
        for _ in range(count if len(starts) else 0)
    ]
    whole = _sequences(split)
    return [walk for walk in found if len(walk) >= 3 and tuple(walk) not in whole]


def _sequences(split: Split) -> set[tuple[int, ...]]:
    """What training sees of every user, and what the user took in all."""
    pairs = zip(split.test.histories, split.test.targets.tolist(), strict=True)
    return {tuple(rows.tolist()) for rows in split.train} | {(*rows.tolist(), last) for rows, last in pairs}


def _walk(counts: csr_matrix, start: int, length: int, rng: np.random.Generator) -> list[int]:
    seen = [start]
    while len(seen) < length:
        near = slice(counts.indptr[seen[-1]], counts.indptr[seen[-1] + 1])
        fresh = ~np.isin(counts.indices[near], seen)
        if not fresh.any():
            break
        weight = counts.data[near] * fresh
        seen.append(int(rng.choice(counts.indices[near], p=weight / weight.sum())))
    return [row + 1 for row in seen]


def train_digest(dataset: Dataset, split: Split) -> str:
    """sha256 over (user, item ids trained on), users sorted: equal only for data without the held-out items."""
    digest, ids = hashlib.sha256(), dataset.items.ids
    for user in sorted(range(len(dataset.users)), key=lambda u: dataset.users[u]):
        digest.update("\t".join([dataset.users[user], *(ids[row - 1] for row in split.train[user])]).encode() + b"\n")
    return digest.hexdigest()
