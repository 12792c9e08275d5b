"""The buffer that graphs gather from, against a dense mask worked out item by item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made_catalogue
from numpy.typing import NDArray

from service.engine import masks as module
from service.engine.masks import LARGE, Masks, masks
from service.search.trie import Trie, banned, build

Bool = NDArray[np.bool_]
ITEMS = 60
TRIE = build(made_catalogue(ITEMS, depth=3, codes=5, seed=2).sids, range(1, ITEMS - 5))
ROWS = range(ITEMS + 1)

excluded = st.lists(st.sampled_from(ROWS), max_size=ITEMS)
allowed = st.none() | st.lists(st.booleans(), min_size=ITEMS + 1, max_size=ITEMS + 1).map(np.array)
asked = st.lists(st.tuples(excluded, allowed), min_size=1, max_size=5)


def dense(trie: Trie, excluded: list[int], allowed: Bool | None) -> Bool:
    """[N]: True on every node without a legal item at or below it."""
    everyone = trie.leaf_row.tolist()
    left = [row for row in everyone if row not in excluded and (allowed is None or allowed[row])]
    illegal = np.ones(trie.nodes, np.bool_)
    if left:
        illegal[trie.path(trie.row_leaf[left])] = False
        illegal[0] = False
    return illegal


def slot(made: Masks, row: int, nodes: int) -> Bool:
    return made.banned[made.slot[row] : made.slot[row] + nodes]


@settings(max_examples=150, deadline=None)
@given(asked=asked, large=st.sampled_from([1, LARGE]))
def test_every_request_has_its_own_slot_and_it_is_the_dense_mask(
    asked: list[tuple[list[int], Bool | None]], large: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGE", large)
        made = masks(TRIE, [banned(TRIE, *each) for each in asked])
    assert made.banned.dtype == np.bool_
    assert made.slot.dtype == np.int32
    assert made.banned.shape == (len(asked) * TRIE.nodes,)
    for row, each in enumerate(asked):
        assert np.array_equal(slot(made, row, TRIE.nodes), dense(TRIE, *each))


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
def test_a_buffer_of_any_size_is_zero_and_can_be_written(size: int) -> None:
    buffer = module._zeros(size)
    assert buffer.shape == (size,)
    assert buffer.dtype == np.bool_
    assert not buffer.any()
    buffer[size // 2 :] = True
    assert buffer.sum() == size - size // 2
    assert not module._zeros(size).any(), "nothing of an earlier one"


def test_a_large_batch_leaves_no_trace_in_the_next() -> None:
    requests = 1 + LARGE // TRIE.nodes
    everything, nothing = banned(TRIE, range(1, ITEMS + 1)), banned(TRIE)
    full = masks(TRIE, [nothing, *[everything] * (requests - 1)])
    assert len(full.banned) >= LARGE
    assert not slot(full, 0, TRIE.nodes).any()
    assert full.banned.sum() == (requests - 1) * TRIE.nodes
    assert not masks(TRIE, [nothing] * requests).banned.any()
