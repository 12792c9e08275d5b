"""The people of a load test: who comes back with which history, who is new, and what they click.

Nobody's clicks are real. A made user looks at rank r (0 = the first) with probability 1 / log2(r + 2), and clicks what
is seen more often where it goes with the history: the bundle knows that it was taken near an item of it (in a bundle
without relations: its category is there). So lists that go less well with histories get fewer clicks, which is what a
report on two buckets should find.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loadtest import workload
from loadtest.workload import Drawer, History, Items

FITTING, OTHER = 0.3, 0.01  # clicks on an item that is looked at
LONGEST = 50
ZIPF = 0.7  # less unequal than words: a minute of visits meets a thousand people and more


class Taste:
    """Whether an item goes with a history, by co-occurrence, else by category; unknown ids go with nothing."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._at = {str(item): at for at, item in enumerate(items.ids)}

    def fits(self, item: str, history: Sequence[str]) -> bool:
        at, known = self._at.get(item), [self._at[one] for one in history if one in self._at]
        if at is None or not known:
            return False
        category, near = self._items.category, self._items.near
        return bool(np.isin(category[at], category[known]) if near is None else np.isin(at, near.items[known]))

    def clicked(self, shown: Sequence[str], history: Sequence[str], rng: np.random.Generator) -> str | None:
        """The first item clicked, if any."""
        draws = rng.random(len(shown))
        for rank, (item, draw) in enumerate(zip(shown, draws.tolist(), strict=True)):
            seen = 1 / math.log2(rank + 2)
            if draw < seen * OTHER or (draw < seen * FITTING and self.fits(item, history)):
                return item
        return None


class Crowd:
    """Returning users by number with their histories, the first of them most often (Zipf), and any number of new ones.

    Raises:
        WorkloadError: the folder holds no readable catalogue.
    """

    def __init__(self, bundle: Path, users: int = 5000, seed: int = 0) -> None:
        items = workload.read_items(bundle)
        self.taste, self.rng = Taste(items), np.random.default_rng(seed)
        self._items, self._drawer = items, Drawer(items, self.rng)
        self._histories = workload.histories(items, users, seed)
        weights = np.arange(1, users + 1, dtype=np.float64) ** -ZIPF
        self._mass = np.cumsum(weights / weights.sum())

    def returning(self) -> int:
        """Who comes next."""
        return min(int(np.searchsorted(self._mass, self.rng.random(), "right")), len(self._histories) - 1)

    def history(self, user: int) -> History:
        return self._histories[user]

    def stranger(self) -> History:
        """A history of a person who was never here: 3 items or more, drawn anew."""
        length = 3 + int(self.rng.geometric(1 / (workload.MEAN_LENGTH - 2))) - 1
        return tuple(self._items.ids[self._drawer.history(length)].tolist())

    def bought(self, user: int, item: str) -> None:
        """The history grows by one; the next visit finds no encoding of it."""
        kept = tuple(one for one in self._histories[user] if one != item)
        self._histories[user] = (*kept, item)[-LONGEST:]
