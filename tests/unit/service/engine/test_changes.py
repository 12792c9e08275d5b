"""One change at a time: where new items go, how retired ones come back, and what does not fit."""

import numpy as np
import pytest
from made_bundle import made_bundle

from service.engine.bundle import Bundle
from service.engine.revision import Change, NewItem, revise
from service.errors import ConflictError, InvalidRequestError, RequestError

CODES, DEPTH = 4, 3
BUNDLE = made_bundle(20, DEPTH, CODES)
IDS = tuple(BUNDLE.catalogue.ids)
SIDS = {tuple(sid) for sid in BUNDLE.catalogue.sids.tolist()}
EMPTY = min({(a, b) for a in range(CODES) for b in range(CODES)} - {sid[:2] for sid in SIDS})  # a prefix of nobody
FREE = (*EMPTY, 0)


def sid_of(bundle: Bundle, item: str) -> tuple[int, ...]:
    return tuple(bundle.catalogue.sids[bundle.catalogue.rows[item] - 1].tolist())


TAKEN = sid_of(BUNDLE, IDS[0])


def test_an_item_is_placed_beside_another_at_the_first_free_code() -> None:
    prefix = TAKEN[:-1]
    free = [sid for code in range(CODES) if (sid := (*prefix, code)) not in SIDS]
    grown = BUNDLE
    for number, sid in enumerate(free):
        grown = revise(grown, Change(add=(NewItem(f"n{number}", like=IDS[0]),)))
        assert sid_of(grown, f"n{number}") == sid
    with pytest.raises(ConflictError, match=f"all {CODES} places beside"):
        revise(grown, Change(add=(NewItem("one more", like=IDS[0]),)))
    gone = revise(grown, Change(retire=("n0", IDS[0])))
    both = revise(gone, Change(add=(NewItem("x", like=IDS[0]), NewItem("y", like="x"))))
    assert {sid_of(both, "x"), sid_of(both, "y")} == {free[0], TAKEN}, "with no other room, a retired item's place"


def test_a_new_item_leaves_a_retired_one_its_place_where_it_can() -> None:
    grown = revise(BUNDLE, Change(add=(NewItem("first", FREE),)))
    second = NewItem("second", like="first")
    one_by_one = revise(revise(grown, Change(retire=("first",))), Change(add=(second,)))
    at_once = revise(grown, Change(add=(second,), retire=("first",)))
    for again in (one_by_one, at_once):
        assert sid_of(again, "second") == (*EMPTY, 1)
        assert sid_of(revise(again, Change(add=(NewItem("first"),))), "first") == FREE


def test_places_of_many_retired_items_are_known_also_where_two_lived_at_one() -> None:
    gone = revise(BUNDLE, Change(add=(NewItem("first", FREE),)))
    for heir in ("second", "third"):
        last = gone.catalogue.ids[-1]
        gone = revise(gone, Change(add=(NewItem(heir, FREE),), retire=(last,)))
    gone = revise(gone, Change(retire=("third", *IDS[:5])))
    beside = revise(gone, Change(add=(NewItem("x", (*EMPTY, 3)), NewItem("y", like="second"))))
    assert sid_of(beside, "y") == (*EMPTY, 1)


def test_two_changes_of_one_bundle_do_not_touch_each_other() -> None:
    """As after a rollback: both append rows to one table."""
    one = revise(BUNDLE, Change(add=(NewItem("one", FREE),)))
    rows = one.tables.node_rows.copy()
    other = revise(BUNDLE, Change(add=(NewItem("other", (*EMPTY, 1)), NewItem("more", (*EMPTY, 2)))))
    further = revise(one, Change(add=(NewItem("two", (*EMPTY, 3)),)))
    assert np.array_equal(one.tables.node_rows, rows)
    again = revise(BUNDLE, Change(add=(NewItem("other", (*EMPTY, 1)), NewItem("more", (*EMPTY, 2)))))
    assert np.array_equal(other.tables.node_rows, again.tables.node_rows)
    for item in ("one", "two"):
        leaf = further.trie.row_leaf[further.catalogue.rows[item]]
        assert further.tables.row[leaf] >= len(BUNDLE.tables.rows)


def test_a_retired_item_keeps_its_row_and_comes_back_to_its_place() -> None:
    row = BUNDLE.catalogue.rows[IDS[0]]
    gone = revise(BUNDLE, Change(retire=(IDS[0],)))
    assert gone.catalogue.rows[IDS[0]] == row
    assert gone.trie.row_leaf[row] == 0
    assert row not in gone.catalogue.by_popularity
    back = revise(gone, Change(add=(NewItem(IDS[0], sid=TAKEN, popularity=1000),)))
    assert back.catalogue.rows[IDS[0]] == row
    assert back.catalogue.by_popularity[0] == row
    assert np.array_equal(back.tables.node_rows, BUNDLE.tables.node_rows)


def test_a_place_given_up_may_be_taken_in_the_same_change() -> None:
    moved = revise(BUNDLE, Change(add=(NewItem("heir", TAKEN),), retire=(IDS[0],)))
    assert moved.catalogue.ids[moved.trie.leaf_row[moved.trie.find(TAKEN) - moved.trie.first_leaf] - 1] == "heir"
    with pytest.raises(ConflictError, match="is taken by another item"):
        revise(moved, Change(add=(NewItem(IDS[0]),)))


def test_names_and_counts_are_set_kept_and_grown() -> None:
    old = BUNDLE.catalogue
    item = NewItem("n", FREE, category="Beauty > New", brand="Almay", popularity=7)
    grown = revise(BUNDLE, Change(add=(item, NewItem("bare", like="n")), popularity={IDS[3]: 5})).catalogue
    assert grown.categories == (*old.categories, "Beauty > New")
    assert grown.brands == old.brands
    assert grown.category[-2:].tolist() == [len(old.categories), -1]
    assert grown.brand[-2:].tolist() == [old.brands.index("Almay"), -1]
    assert grown.popularity[-2:].tolist() == [7, 0]
    assert grown.popularity[3] == 5
    assert np.array_equal(grown.category[:-2], old.category)
    assert np.array_equal(np.delete(grown.popularity[:-2], 3), np.delete(old.popularity, 3))
    assert "Beauty > New" in grown.category_codes
    assert len(old.categories) in grown.category_codes["Beauty"]


def test_coming_back_changes_only_what_is_said() -> None:
    gone = revise(BUNDLE, Change(retire=(IDS[5],)))
    back = revise(gone, Change(add=(NewItem(IDS[5], brand="theBalm"),))).catalogue
    old = BUNDLE.catalogue
    assert back.brands[back.brand[5]] == "theBalm"
    assert (back.category[5], back.popularity[5]) == (old.category[5], old.popularity[5])
    nameless = revise(gone, Change(add=(NewItem(IDS[5], brand="", category=""),))).catalogue
    assert (nameless.brand[5], nameless.category[5]) == (-1, -1)


def test_the_version_counts_changes_and_tells_catalogues_apart() -> None:
    one, other = Change(retire=(IDS[0],)), Change(retire=(IDS[1],))
    assert revise(BUNDLE, one).version == revise(BUNDLE, one).version
    ways = [
        revise(BUNDLE, one),
        revise(BUNDLE, other),
        revise(revise(BUNDLE, one), other),
        revise(revise(BUNDLE, other), one),
    ]
    assert len({way.version for way in ways}) == len(ways)
    assert [way.version.split(".")[2] for way in ways] == ["0+c1", "0+c1", "0+c2", "0+c2"]
    assert ways[2].manifest.tag == f"made@{ways[2].version}"
    built = made_bundle(version="1.0+build.7")
    assert revise(built, one).version.startswith("1.0+build.7.c1.")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        (Change(), InvalidRequestError, "the change is empty"),
        (Change(retire=("?",)), InvalidRequestError, r"'\?' is not in this catalogue"),
        (Change(popularity={"?": 1}), InvalidRequestError, "not in this catalogue"),
        (Change(popularity={IDS[0]: -1}), InvalidRequestError, "not a count between 0 and"),
        (Change(popularity={IDS[0]: 2**31}), InvalidRequestError, "not a count between 0 and"),
        (Change(add=(NewItem("n", FREE, popularity=-1),)), InvalidRequestError, "not a count between 0 and"),
        (Change(add=(NewItem("", FREE),)), InvalidRequestError, "item id is empty"),
        (Change(add=(NewItem("n"),)), InvalidRequestError, "needs either a sid or an item it is like"),
        (Change(add=(NewItem("n", FREE, like=IDS[0]),)), InvalidRequestError, "needs either a sid or an item"),
        (Change(add=(NewItem("n", like="?"),)), InvalidRequestError, "not in this catalogue"),
        (Change(add=(NewItem("n", like="n"),)), InvalidRequestError, "not in this catalogue"),
        (Change(add=(NewItem("n", FREE[:-1]),)), InvalidRequestError, "is not 3 codes from 0 to 3"),
        (Change(add=(NewItem("n", (*FREE, 0)),)), InvalidRequestError, "is not 3 codes from 0 to 3"),
        (Change(add=(NewItem("n", (0, 0, CODES)),)), InvalidRequestError, "is not 3 codes from 0 to 3"),
        (Change(add=(NewItem("n", (0, 0, -1)),)), InvalidRequestError, "is not 3 codes from 0 to 3"),
        (Change(add=(NewItem("n", FREE), NewItem("n", TAKEN))), InvalidRequestError, "'n' is named twice"),
        (Change(retire=(IDS[0], IDS[0])), InvalidRequestError, "is named twice"),
        (Change(add=(NewItem(IDS[0]),), retire=(IDS[0],)), InvalidRequestError, "is named twice"),
        (Change(add=(NewItem("n", TAKEN),)), ConflictError, "is taken by another item"),
        (Change(add=(NewItem("n", FREE), NewItem("m", FREE))), ConflictError, "is taken by another item"),
        (Change(add=(NewItem(IDS[0], FREE),)), ConflictError, "is on offer already"),
        (Change(retire=IDS), ConflictError, "retire every item"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(change: Change, error: type[RequestError], reason: str) -> None:
    with pytest.raises(error, match=reason) as caught:
        revise(BUNDLE, change)
    assert caught.value.detail.endswith(".")
    assert "\n" not in caught.value.detail


def test_what_only_a_present_item_can_do_is_refused_to_a_retired_one() -> None:
    gone = revise(BUNDLE, Change(retire=(IDS[0],)))
    with pytest.raises(ConflictError, match="is retired already"):
        revise(gone, Change(retire=(IDS[0],)))
    with pytest.raises(ConflictError, match="comes back to its semantic ID"):
        revise(gone, Change(add=(NewItem(IDS[0], FREE),)))


def test_all_may_go_when_others_come() -> None:
    fresh = revise(BUNDLE, Change(add=(NewItem("only", FREE),), retire=IDS))
    assert fresh.trie.leaf_row.tolist() == [21]
    assert fresh.catalogue.by_popularity.tolist() == [21]
    assert fresh.trie.branching(0) == 1
