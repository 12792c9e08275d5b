"""What is known of the items of a bundle, and in what order they are popular."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.engine.titles import Titles

I32 = NDArray[np.int32]
AT_ONCE = 1 << 17  # rows whose sort keys are made at a time
BELOW = " > "  # between the parts of a category's path


@dataclass(frozen=True)
class Catalogue:
    """I items; row r (1-based) is ids[r - 1], for good: later revisions only append rows.

    category, brand int32 [I]: codes into the name lists, -1 = unknown. samples: made histories. by_popularity: rows
    of the items on offer, most popular first; a retired item is in `rows` alone. The last `added` rows came after
    training: they have codes and no learned row. `titles`: of the items that have one, None in most bundles.
    """

    ids: Sequence[str]
    rows: Mapping[str, int]
    sids: I32
    popularity: I32
    categories: tuple[str, ...]
    category: I32
    brands: tuple[str, ...]
    brand: I32
    samples: tuple[tuple[str, ...], ...]
    by_popularity: I32
    added: int = 0
    titles: Titles | None = None

    @property
    def learned(self) -> int:
        """Rows 1 .. learned have a row in the item table."""
        return len(self.ids) - self.added

    @cached_property
    def category_codes(self) -> Mapping[str, list[int]]:
        """Every category, and every path above one ("Beauty" above "Beauty > Bath"), to the codes it covers."""
        codes: dict[str, list[int]] = {}
        for code, name in enumerate(self.categories):
            parts = name.split(BELOW) if name else []
            for count in range(1, len(parts) + 1):
                codes.setdefault(BELOW.join(parts[:count]), []).append(code)
        return codes

    @cached_property
    def brand_codes(self) -> Mapping[str, list[int]]:
        """Every brand to its code, as a list of one."""
        return {name: [code] for code, name in enumerate(self.brands) if name}


def most_popular(popularity: I32, on_offer: NDArray[np.generic]) -> I32:
    """Rows (1-based) of the items that are true in on_offer [I], most popular first; equally popular ones by row."""
    keys, count = np.empty(len(popularity), np.int64), 0
    for at in range(0, len(popularity), AT_ONCE):
        places = at + np.flatnonzero(on_offer[at : at + AT_ONCE])
        found = keys[count : count + len(places)]
        np.multiply(popularity.take(places), np.int64(-(1 << 32)), out=found)
        found += places
        count += len(places)
    keys = keys[:count]
    keys.sort()  # one integer an item: the quickest of sorts does
    rows: I32 = keys.astype(np.int32)  # its lower half
    rows += 1
    return rows
