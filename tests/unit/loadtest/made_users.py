"""A small catalogue to make users from."""

from pathlib import Path

import numpy as np

from loadtest.workload import Items

ITEMS = 200


def made_items(samples: int = 4) -> Items:
    rng = np.random.default_rng(0)
    drawn = tuple(rng.permutation(ITEMS)[: 3 + n].astype(np.int32) for n in range(samples))
    ids = np.array([f"B{n:04d}" for n in range(ITEMS)])
    category = rng.integers(-1, 6, ITEMS).astype(np.int32)
    return Items(ids, rng.integers(0, 50, ITEMS).astype(np.int32), category, drawn)


def write(items: Items, folder: Path) -> None:
    samples = np.concatenate(items.samples) + 1
    lengths = np.array([len(sample) for sample in items.samples])
    np.savez(
        folder / "catalogue.npz",
        ids=items.ids,
        popularity=items.popularity,
        category=items.category,
        sample_items=samples,
        sample_lengths=lengths,
    )
