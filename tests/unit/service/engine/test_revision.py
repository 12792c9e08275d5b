"""Catalogue changes: after any of them the trie holds exactly what is on offer, and learned rows are what they were."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bundle import made_bundle
from numpy.typing import NDArray

from service.engine.bundle import Bundle
from service.engine.revision import Change, NewItem, revise
from service.search.trie import Trie

Sid = tuple[int, ...]
F32 = NDArray[np.float32]
CODES, DEPTH = 4, 3
BUNDLE = made_bundle(20, DEPTH, CODES)
IDS = BUNDLE.catalogue.ids
EVERY_SID = [(a, b, c) for a in range(CODES) for b in range(CODES) for c in range(CODES)]


class Shop:
    """What a catalogue should hold, kept as plain sets: every item's place for good, and who is on offer."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.place: dict[str, Sid] = {item: sid_of(bundle, item) for item in bundle.catalogue.ids}
        self.popularity = dict(zip(IDS, bundle.catalogue.popularity.tolist(), strict=True))
        self.live = set(IDS)

    def draw(self, data: st.DataObject) -> Change:
        """A change that fits: some leave, some new ones move in where there is room, some come back."""
        others = sorted(self.live)[1:]  # somebody stays
        leaving = data.draw(st.lists(st.sampled_from(others), unique=True, max_size=6)) if others else []
        stay = self.live - set(leaving)
        taken = {self.place[item] for item in stay}
        back = [item for item in sorted(set(self.place) - self.live) if self.place[item] not in taken]
        back = data.draw(st.lists(st.sampled_from(back), unique_by=self.place.get, max_size=3)) if back else []
        taken |= {self.place[item] for item in back}
        free = [sid for sid in EVERY_SID if sid not in taken]
        sids = data.draw(st.lists(st.sampled_from(free), unique=True, max_size=4)) if free else []
        count = st.integers(0, 99)
        adding = [NewItem(f"new{len(self.place) + n}", sid, popularity=data.draw(count)) for n, sid in enumerate(sids)]
        known = sorted({*self.place, *(item.item_id for item in adding)})
        prices = data.draw(st.dictionaries(st.sampled_from(known), count, min_size=1, max_size=3))
        self.live = stay | {item.item_id for item in adding} | set(back)
        self.place |= {item.item_id: item.sid for item in adding if item.sid}
        self.popularity |= {item.item_id: item.popularity or 0 for item in adding} | prices
        return Change((*adding, *map(NewItem, back)), tuple(leaving), prices)

    def apply(self, data: st.DataObject) -> None:
        self.bundle = revise(self.bundle, self.draw(data))


def sid_of(bundle: Bundle, item: str) -> Sid:
    return tuple(bundle.catalogue.sids[bundle.catalogue.rows[item] - 1].tolist())


def on_offer(bundle: Bundle) -> dict[str, Sid]:
    """Item ids and the paths that lead to them."""
    trie = bundle.trie
    paths = trie.code[trie.path(np.arange(trie.first_leaf, trie.nodes, dtype=np.int32))].tolist()
    return {bundle.catalogue.ids[row - 1]: tuple(path) for row, path in zip(trie.leaf_row, paths, strict=True)}


def prefixes(trie: Trie) -> list[Sid]:
    """The codes of every node."""
    known: list[Sid] = [()]
    for node in range(1, trie.nodes):
        known.append((*known[trie.parent[node]], int(trie.code[node])))
    return known


@settings(max_examples=60, deadline=None)
@given(data=st.data(), changes=st.integers(1, 6))
def test_after_any_changes_exactly_what_is_on_offer_can_be_found(data: st.DataObject, changes: int) -> None:
    shop = Shop(BUNDLE)
    for number in range(1, changes + 1):
        before = shop.bundle
        shop.apply(data)
        bundle, catalogue = shop.bundle, shop.bundle.catalogue
        assert on_offer(bundle) == {item: shop.place[item] for item in shop.live}
        assert catalogue.ids[: len(before.catalogue.ids)] == before.catalogue.ids, "rows are append-only"
        assert catalogue.rows == {item: row for row, item in enumerate(catalogue.ids, 1)}
        assert [sid_of(bundle, item) for item in catalogue.ids] == [shop.place[item] for item in catalogue.ids]
        assert catalogue.learned == len(IDS)
        ranked = sorted(shop.live, key=lambda item: (-shop.popularity[item], catalogue.rows[item]))
        assert [catalogue.ids[row - 1] for row in catalogue.by_popularity] == ranked
        assert len(catalogue.category) == len(catalogue.brand) == len(catalogue.popularity) == len(catalogue.ids)
        assert bundle.version.startswith(f"1.0.0+c{number}.")
        assert bundle.encoder_digest == BUNDLE.encoder_digest


@settings(max_examples=60, deadline=None)
@given(data=st.data(), changes=st.integers(1, 6))
def test_learned_rows_follow_their_prefix_and_new_ones_are_like_their_neighbours(
    data: st.DataObject, changes: int
) -> None:
    shop = Shop(BUNDLE)
    for _ in range(changes):
        shop.apply(data)
    bundle, tables, learned = shop.bundle, shop.bundle.tables, BUNDLE.tables
    assert tables.item_rows is learned.item_rows
    row_of = dict(zip(prefixes(BUNDLE.trie), learned.node_rows, strict=True))
    names = {sid: item for item, sid in on_offer(bundle).items()}
    for codes, row in zip(prefixes(bundle.trie), tables.node_rows, strict=True):
        if codes in row_of and (len(codes) < DEPTH or names[codes] in IDS):
            assert np.array_equal(row, row_of[codes])
        else:
            np.testing.assert_allclose(row, like_neighbours(codes, row_of), rtol=1e-3, atol=2e-3)


def like_neighbours(codes: Sid, row_of: dict[Sid, F32]) -> F32:
    """The codes' own sum and what learned prefixes beside these have beyond theirs: as near as there are any."""
    same_depth = [known for known in row_of if len(known) == len(codes)]
    starts = {known[:length] for known in same_depth for length in range(len(codes))}
    shared = max(length for length in range(len(codes)) if codes[:length] in starts)
    beside = [known for known in same_depth if known[:shared] == codes[:shared]]
    beyond = np.mean([row_of[known] - code_sum(known) for known in beside], axis=0)
    return np.asarray(code_sum(codes) + beyond, np.float32)


def code_sum(codes: Sid) -> F32:
    total = np.zeros(BUNDLE.tables.code_rows.shape[2], np.float32)
    for level, code in enumerate(codes):
        total = total + BUNDLE.tables.code_rows[level, code]
    return total


@settings(max_examples=40, deadline=None)
@given(data=st.data(), changes=st.integers(1, 4))
def test_undoing_brings_back_the_same_trie_and_rows(data: st.DataObject, changes: int) -> None:
    shop = Shop(BUNDLE)
    for _ in range(changes):
        shop.apply(data)
    undo = Change(
        add=tuple(NewItem(item) for item in IDS if item not in shop.live),
        retire=tuple(sorted(shop.live - set(IDS))),
        popularity=dict(zip(IDS, BUNDLE.catalogue.popularity.tolist(), strict=True)),
    )
    back = revise(shop.bundle, undo)
    for name in ("first_child", "code", "parent", "level_start", "leaf_row"):
        assert np.array_equal(getattr(back.trie, name), getattr(BUNDLE.trie, name)), name
    assert np.array_equal(back.tables.node_rows, BUNDLE.tables.node_rows)
    assert np.array_equal(back.catalogue.by_popularity, BUNDLE.catalogue.by_popularity)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_bundle_that_is_changed_stays_as_it_was(data: st.DataObject) -> None:
    shop = Shop(BUNDLE)
    shop.apply(data)
    before, frozen = shop.bundle, arrays(shop.bundle)
    shop.apply(data)
    assert all(np.array_equal(frozen[name], now) for name, now in arrays(before).items())
    assert before.origin is shop.bundle.origin is BUNDLE
    as_made = arrays(made_bundle(20, DEPTH, CODES))
    assert all(np.array_equal(as_made[name], now) for name, now in arrays(BUNDLE).items())


def arrays(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """Copies of all there are."""
    parts = (bundle.catalogue, bundle.trie, bundle.tables)
    found = {name: value for part in parts for name, value in vars(part).items() if isinstance(value, np.ndarray)}
    return {name: value.copy() for name, value in found.items()}
