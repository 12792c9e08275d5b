"""A made catalogue: random distinct paths, random popularity."""

import numpy as np

from service.engine.catalogue import Catalogue


def made_catalogue(items: int = 300, depth: int = 3, codes: int = 8, seed: int = 0) -> Catalogue:
    rng = np.random.default_rng(seed)
    paths = rng.choice(codes**depth, items, replace=False)
    sids = np.stack(np.unravel_index(paths, (codes,) * depth), axis=1).astype(np.int32)
    ids = tuple(f"B{row:09d}" for row in range(1, items + 1))
    popularity = rng.integers(0, 50, items).astype(np.int32)
    unknown = np.full(items, -1, np.int32)
    return Catalogue(
        ids=ids,
        rows={item: row for row, item in enumerate(ids, 1)},
        sids=sids,
        popularity=popularity,
        categories=(),
        category=unknown,
        brands=(),
        brand=unknown,
        samples=(ids[:5], ids[40:52]),
        by_popularity=(np.argsort(-popularity, kind="stable") + 1).astype(np.int32),
    )
