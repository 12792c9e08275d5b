"""Catalogue changes without a new export: a bundle and a change make a new bundle (design section 3).

Trie arrays and tables are inputs of the graphs, so only they are made anew. Rows are append-only: a retired item
keeps its row, so that histories which hold it still encode; it only leaves the trie and the popular ones.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.bundle import Bundle
from service.engine.catalogue import Catalogue, most_popular
from service.engine.layered import grown_ids, grown_rows
from service.engine.places import Places
from service.engine.regrow import tables_for
from service.errors import ConflictError, InvalidRequestError
from service.search import trie as tries
from service.search.trie import Trie

I32 = NDArray[np.int32]

MOST = np.iinfo(np.int32).max


@dataclass(frozen=True)
class NewItem:
    """An item to add: at `sid`, or beside the item `like` (same prefix, first free last code).

    A retired item comes back to its own place and needs neither; what is None here stays as it was.
    """

    item_id: str
    sid: tuple[int, ...] | None = None
    like: str | None = None
    category: str | None = None
    brand: str | None = None
    popularity: int | None = None


@dataclass(frozen=True)
class Change:
    """What to do to a catalogue, in this order: retire, add, set popularity (interactions, as in the catalogue)."""

    add: tuple[NewItem, ...] = ()
    retire: tuple[str, ...] = ()
    popularity: Mapping[str, int] = field(default_factory=dict)


def revise(bundle: Bundle, change: Change) -> Bundle:
    """The bundle after the change; the given one is left as it is.

    Its version tells the number of changes since the bundle was loaded and a digest of them all: "1.0.0+c2.8d41f0aa".

    Raises:
        InvalidRequestError: an unknown id, an id named twice, a code out of range, an item without a place.
        ConflictError: a taken semantic ID, no free code left, an item that is or is not on offer already, or
            nothing left to offer.
    """
    _check(change)
    draft = _Draft(bundle)
    draft.places.look_up(item.sid for item in change.add if item.sid is not None)
    for item_id in change.retire:
        draft.retire(item_id)
    for item in change.add:
        draft.add(item)
    for item_id, popularity in change.popularity.items():
        draft.popularity[draft.row(item_id)] = popularity
    return draft.finish(change)


def _check(change: Change) -> None:
    named = [item.item_id for item in change.add] + list(change.retire)
    if not named and not change.popularity:
        raise InvalidRequestError("the change is empty: nothing to add, to retire or to set.")
    if not all(named):
        raise InvalidRequestError("an item id is empty.")
    twice = [item for item, count in Counter(named).items() if count > 1]
    if twice:
        raise InvalidRequestError(f"item '{twice[0]}' is named twice in one change.")
    counts = [*change.popularity.items(), *((item.item_id, item.popularity or 0) for item in change.add)]
    wrong = next((item for item, count in counts if not 0 <= count <= MOST), None)
    if wrong is not None:
        raise InvalidRequestError(f"the popularity of item '{wrong}' is not a count between 0 and {MOST}.")


class _Draft:
    """A change being worked out over the catalogue of `bundle`."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.catalogue = bundle, bundle.catalogue
        self.places = Places(bundle.trie, bundle.catalogue.sids, bundle.manifest.codebook)
        self.new: dict[str, int] = {}
        self.popularity: dict[int, int] = {}
        self.category: dict[int, str] = {}
        self.brand: dict[int, str] = {}

    def row(self, item_id: str) -> int:
        row = self.catalogue.rows.get(item_id) or self.new.get(item_id)
        if row is None:
            raise InvalidRequestError(f"item '{item_id}' is not in this catalogue.")
        return row

    def retire(self, item_id: str) -> None:
        row = self.row(item_id)
        if not self.places.leave(row):
            raise ConflictError(f"item '{item_id}' is retired already.")

    def add(self, item: NewItem) -> None:
        row = self.catalogue.rows.get(item.item_id)
        if row is None:
            self.new[item.item_id] = row = self.places.settle(self._place(item))
        elif not self.places.come_back(row, item.sid):
            raise ConflictError(f"item '{item.item_id}' is on offer already.")
        for column, value in ((self.category, item.category), (self.brand, item.brand)):
            if value is not None:
                column[row] = value
        if item.popularity is not None:
            self.popularity[row] = item.popularity

    def _place(self, item: NewItem) -> tuple[int, ...]:
        if item.sid is not None and item.like is None:
            return item.sid
        if item.like is not None and item.sid is None:
            return self.places.beside(self.row(item.like))
        raise InvalidRequestError(f"item '{item.item_id}' is new and needs either a sid or an item it is like.")

    def finish(self, change: Change) -> Bundle:
        bundle, origin = self.bundle, self.bundle.origin or self.bundle
        left, came = self.places.left, self.places.came
        if len(left) == bundle.trie.items + len(came):
            raise ConflictError("the change would retire every item there is.")
        sids = self.places.sids()
        trie = tries.revised(bundle.trie, sids, left, came)
        return replace(
            bundle,
            manifest=bundle.manifest.model_copy(update={"version": self._version(change, origin)}),
            catalogue=self._catalogue(sids, trie),
            trie=trie,
            tables=tables_for(trie, bundle.tables, bundle.trie, origin.tables, origin.trie),
            revision=bundle.revision + 1,
            origin=origin,
        )

    def _catalogue(self, sids: I32, trie: Trie) -> Catalogue:
        old, added = self.catalogue, len(self.new)
        popularity = _changed(old.popularity, added, self.popularity)
        categories, category = _named(old.categories, old.category, added, self.category)
        brands, brand = _named(old.brands, old.brand, added, self.brand)
        return replace(
            old,
            ids=grown_ids(old.ids, tuple(self.new)),
            rows=grown_rows(old.rows, self.new),
            sids=sids,
            popularity=popularity,
            categories=categories,
            category=category,
            brands=brands,
            brand=brand,
            by_popularity=most_popular(popularity, trie.row_leaf[1:]),
            added=old.added + added,
        )

    def _version(self, change: Change, origin: Bundle) -> str:
        """Replicas that make the same changes in the same order agree, and no two catalogues share a version."""
        digest = hashlib.blake2b(repr((self.bundle.manifest.version, change.retire)).encode(), digest_size=4)
        for fact in (*(tuple(vars(item).values()) for item in change.add), *sorted(change.popularity.items())):
            digest.update(repr(fact).encode())
        joint = "." if "+" in origin.manifest.version else "+"
        return f"{origin.manifest.version}{joint}c{self.bundle.revision + 1}.{digest.hexdigest()}"


def _changed(column: I32, added: int, values: Mapping[int, int], default: int = 0) -> I32:
    """The column [I] with `added` entries more and these rows (1-based) set."""
    grown = np.concatenate([column, np.full(added, default, np.int32)])
    for row, value in values.items():
        grown[row - 1] = value
    return grown


def _named(names: tuple[str, ...], codes: I32, added: int, wanted: Mapping[int, str]) -> tuple[tuple[str, ...], I32]:
    """Names and codes after the rows took these names; new names are appended, an empty one is no name."""
    known = {name: code for code, name in enumerate(names)}
    values = {row: known.setdefault(name, len(known)) if name else -1 for row, name in wanted.items()}
    return tuple(known), _changed(codes, added, values, default=-1)
