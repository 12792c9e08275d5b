"""Users of a bundle's catalogue: made histories with the shape of real ones, who come back as Zipf says.

A history starts from the bundle's sample histories; half of its items give way to others, so that a few samples make
any number of users: to items taken near them as often as the bundle's relations say, else to items of the same category
by popularity. A catalogue without samples is drawn from by popularity.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.client import request

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
History = tuple[str, ...]
MEAN_LENGTH = 9.0  # of Beauty's users; the shortest has 3
SWAPPED = 0.5
WIDE = 0.5  # of the swapped: by category although relations are known, or a few samples would make too few users


class WorkloadError(Exception):
    """No users can be made from this folder; the message is one sentence."""


@dataclass(frozen=True)
class Near:
    """Co-occurrence: for every item the indices [I, M] of others taken near it, -1 = none, and how often [I, M]."""

    items: I32
    often: F32


@dataclass(frozen=True)
class Items:
    """What a bundle's catalogue.npz says: ids [I], popularity [I], category [I], sample histories as item indices.

    `near` comes from its relations.npz, where there is one.
    """

    ids: NDArray[np.str_]
    popularity: I32
    category: I32
    samples: tuple[I32, ...]
    near: Near | None = None


@dataclass(frozen=True)
class Visit:
    """One request to come: who asks, and the history at that time."""

    user: int
    history: History


def read_items(bundle: Path) -> Items:
    """Raises WorkloadError: the folder holds no readable catalogue."""
    names = ("ids", "popularity", "category", "sample_items", "sample_lengths")
    try:
        with np.load(bundle / "catalogue.npz", allow_pickle=False) as arrays:
            ids, popularity, category, rows, lengths = (arrays[name] for name in names)
    except (OSError, KeyError, ValueError) as error:
        raise WorkloadError(f"{bundle} has no readable catalogue.npz ({error}); name a bundle folder.") from None
    samples = [part - 1 for part in np.split(rows, np.cumsum(lengths)[:-1]) if len(part)] if len(lengths) else []
    return Items(ids, popularity, category, tuple(samples), _read_near(bundle, len(ids)))


def _read_near(bundle: Path, items: int) -> Near | None:
    """None where the bundle has no relations, or relations of another catalogue."""
    try:
        with np.load(bundle / "relations.npz", allow_pickle=False) as arrays:
            rows, often = arrays["neighbour"][1:], arrays["together"][1:]
    except (OSError, KeyError, ValueError):
        return None
    known = (rows > 0) & (rows <= items)
    found = Near(np.where(known, rows - 1, -1).astype(np.int32), np.where(known, often, 0).astype(np.float32))
    return found if len(rows) == items else None


def histories(items: Items, users: int, seed: int = 0, length: int | None = None) -> list[History]:
    """One distinct-item history per user, oldest first; `length` items each, or 3 and more with a mean of nine."""
    rng = np.random.default_rng(seed)
    lengths = np.full(users, length) if length else 3 + rng.geometric(1 / (MEAN_LENGTH - 2), users) - 1
    drawer = Drawer(items, rng)
    return [tuple(items.ids[drawer.history(int(count))].tolist()) for count in lengths]


def distinct(items: Items, users: int, seed: int = 0, length: int | None = None) -> list[History]:
    """The same without two users of one history.

    Raises:
        WorkloadError: the catalogue does not have so many.
    """
    for spare in (1.2, 2, 4):
        found = list(dict.fromkeys(histories(items, int(spare * users) + 10, seed, length)))
        if len(found) >= users:
            return found[:users]
    raise WorkloadError(f"The catalogue does not make {users} different histories.")


class Drawer:
    """Draws items by popularity, over everything or within a category, or as often as they were taken near another."""

    def __init__(self, items: Items, rng: np.random.Generator) -> None:
        self._items, self._rng = items, rng
        self._order = np.argsort(items.category, kind="stable")
        weights = items.popularity[self._order] + 1.0
        self._mass = np.concatenate([[0.0], np.cumsum(weights)])
        categories, starts = np.unique(items.category[self._order], return_index=True)
        ends = [*starts[1:].tolist(), len(self._order)]
        self._span = dict(zip(categories.tolist(), zip(starts.tolist(), ends, strict=True), strict=True))

    def history(self, length: int) -> list[int]:
        """`length` distinct item indices: samples one after another, half of each swapped within its category."""
        found: dict[int, None] = {}
        while len(found) < min(length, len(self._items.ids)):
            for item in self._start():
                swapped = self._rng.random() < SWAPPED
                found.setdefault(self.beside(item) if swapped else item)
        return list(found)[:length]

    def _start(self) -> list[int]:
        if not self._items.samples:
            return [self.draw()]
        sample: list[int] = self._items.samples[self._rng.integers(len(self._items.samples))].tolist()
        return sample

    def beside(self, item: int) -> int:
        """One that goes with this item: taken near it, or of its category."""
        near = self._items.near
        if near is not None and self._rng.random() >= WIDE:
            mass = np.cumsum(near.often[item])
            if mass[-1] > 0:
                return int(near.items[item, np.searchsorted(mass, self._rng.uniform(0, mass[-1]), "right")])
        return self.draw(int(self._items.category[item]))

    def draw(self, category: int | None = None) -> int:
        start, end = (0, len(self._order)) if category is None else self._span[category]
        at = self._rng.uniform(self._mass[start], self._mass[end])
        return int(self._order[min(np.searchsorted(self._mass, at, "right") - 1, end - 1)])


def zipf(users: int, visits: int, exponent: float = 1.0, seed: int = 0) -> I32:
    """Who comes, visit by visit [visits]: user u with a probability proportional to (u + 1) ** -exponent."""
    weights = np.arange(1, users + 1, dtype=np.float64) ** -exponent
    return np.random.default_rng(seed).choice(users, visits, p=weights / weights.sum()).astype(np.int32)


def visits(
    items: Items, users: int, count: int, exponent: float = 1.0, bought: float = 0.0, seed: int = 0, longest: int = 50
) -> list[Visit]:
    """`count` visits of `users` Zipf users; after one visit in 1/`bought` the history has grown by a popular item."""
    known, rng = histories(items, users, seed), np.random.default_rng(seed + 1)
    drawer, come = Drawer(items, rng), []
    for user in zipf(users, count, exponent, seed + 2).tolist():
        come.append(Visit(user, known[user]))
        if rng.random() < bought:
            new = str(items.ids[drawer.draw()])
            known[user] = (*(item for item in known[user] if item != new), new)[-longest:]
    return come


def recommend(history: Sequence[str], headers: dict[str, str] | None = None, **fields: Any) -> bytes:
    """POST /recommend as bytes."""
    return request("POST", "/recommend", json.dumps({"history": history, **fields}).encode(), headers)
