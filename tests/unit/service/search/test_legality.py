"""What is banned against its definition: an item that may not be shown, a prefix with no other item below it."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search.trie import banned, build

I32 = NDArray[np.int32]


@st.composite
def some_sids(draw: st.DrawFn) -> I32:
    path = st.tuples(*[st.integers(0, 3)] * draw(st.integers(1, 4)))
    return np.array(draw(st.lists(path, min_size=1, max_size=30, unique=True)), np.int32)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), sids=some_sids())
def test_a_prefix_is_legal_while_an_item_below_it_is(data: st.DataObject, sids: I32) -> None:
    everyone = list(range(1, len(sids) + 1))
    reachable = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    trie = build(sids, reachable)
    excluded = data.draw(st.lists(st.integers(0, len(sids)), max_size=2 * len(sids)))
    allowed = data.draw(st.none() | st.lists(st.booleans(), min_size=len(sids) + 1, max_size=len(sids) + 1))
    found = banned(trie, excluded, None if allowed is None else np.array(allowed))
    left = [row for row in reachable if row not in excluded and (allowed is None or allowed[row])]
    wanted = np.ones(trie.nodes, np.bool_)
    if left:
        wanted[0] = False
        wanted[trie.path(trie.row_leaf[left])] = False
    if allowed is None:
        assert found.mask is None
        assert found.nodes.dtype == np.int32
        assert found.nodes.tolist() == np.flatnonzero(wanted).tolist()
    else:
        assert found.mask is not None
        assert not found.nodes.size
        assert found.mask.dtype == np.bool_
        assert np.array_equal(found.mask, wanted)
    assert found.legal_items(trie) == len(left)
    assert found.first_level(trie).dtype == np.int32
    assert found.first_level(trie).tolist() == np.flatnonzero(wanted[1 : trie.level_start[2]]).tolist()


def test_rows_may_come_as_an_array_of_any_integers() -> None:
    trie = build([[0, 1], [0, 2], [1, 0]])
    for kind in (np.int32, np.int64, np.uint8):
        assert banned(trie, np.array([3, 3, 0, 1], kind)).nodes.tolist() == [2, 3, 5]
    assert banned(trie, {1, 2}).nodes.tolist() == [1, 3, 4]


def test_a_row_that_does_not_exist_is_refused() -> None:
    trie = build([[0, 1], [0, 2]])
    with pytest.raises(IndexError):
        banned(trie, [3])


def test_what_a_request_allows_is_left_as_it_was() -> None:
    trie, allowed = build([[0, 1], [0, 2]]), np.ones(3, np.bool_)
    banned(trie, [1], allowed)
    assert allowed.all()


def test_excluding_allocates_nothing_that_grows_with_the_catalogue() -> None:
    sids = np.stack(np.unravel_index(np.arange(40**3), (40, 40, 40)), 1).astype(np.int32)
    trie = build(sids)
    tracemalloc.start()
    try:
        found = banned(trie, range(1, 42))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.nodes.tolist() == sorted([41, *trie.row_leaf[1:42].tolist()])
    assert peak < trie.nodes / 4, "a mask alone would take a byte a node"
