"""The trie against sets of prefixes written out, and its masks against their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search.trie import Trie, build, legal

I32 = NDArray[np.int32]
Path = tuple[int, ...]
EXAMPLES = settings(max_examples=80, deadline=None)


@st.composite
def some_sids(draw: st.DrawFn) -> I32:
    depth = draw(st.integers(1, 4))
    path = st.tuples(*[st.integers(0, 4)] * depth)
    return np.array(draw(st.lists(path, min_size=1, max_size=30, unique=True)), np.int32)


def prefixes(sids: I32) -> list[Path]:
    """Every prefix, breadth first and by code: what the numbering promises."""
    paths = [tuple(row) for row in sids.tolist()]
    return [one for b in range(sids.shape[1] + 1) for one in sorted({path[:b] for path in paths})]


@EXAMPLES
@given(sids=some_sids())
def test_nodes_are_the_prefixes_breadth_first_and_by_code(sids: I32) -> None:
    trie, wanted = build(sids), prefixes(sids)
    number = {prefix: node for node, prefix in enumerate(wanted)}
    assert trie.nodes == len(wanted)
    assert trie.depth == sids.shape[1]
    for node, prefix in enumerate(wanted[1:], start=1):
        assert trie.code[node] == prefix[-1]
        assert trie.parent[node] == number[prefix[:-1]]
        assert trie.level_start[len(prefix)] <= node < trie.level_start[len(prefix) + 1]
        assert trie.leaf_count[node] == sum(tuple(path[: len(prefix)]) == prefix for path in sids.tolist())
    assert (trie.code[0], trie.parent[0], trie.leaf_count[0]) == (0, 0, len(sids))
    assert trie.level_start[:2].tolist() == [0, 1]


@EXAMPLES
@given(sids=some_sids())
def test_children_are_a_contiguous_range_and_leaves_own_nothing(sids: I32) -> None:
    trie = build(sids)
    assert trie.first_child.shape == (trie.nodes + 1,)
    for node in range(trie.nodes):
        children = np.arange(trie.first_child[node], trie.first_child[node + 1])
        assert children.tolist() == [n for n in range(1, trie.nodes) if trie.parent[n] == node]
        assert (len(children) == 0) == (node >= trie.first_leaf)
    for level in range(trie.depth):
        owners = range(trie.level_start[level], trie.level_start[level + 1])
        assert trie.branching(level) == max(trie.first_child[n + 1] - trie.first_child[n] for n in owners)


@EXAMPLES
@given(sids=some_sids())
def test_rows_leaves_and_paths_lead_to_each_other(sids: I32) -> None:
    trie = build(sids)
    leaves = trie.row_leaf[1:]
    assert np.array_equal(trie.rows(leaves), np.arange(1, len(sids) + 1))
    assert np.array_equal(np.sort(leaves), np.arange(trie.first_leaf, trie.nodes))
    assert trie.row_leaf[0] == 0
    paths = trie.path(leaves)
    assert np.array_equal(trie.code[paths], sids)
    assert np.array_equal(paths[:, -1], leaves)
    assert trie.path(leaves[None, :1]).shape == (1, 1, trie.depth)


@EXAMPLES
@given(data=st.data(), sids=some_sids())
def test_a_prefix_is_legal_while_an_item_below_it_is(data: st.DataObject, sids: I32) -> None:
    trie = build(sids)
    excluded = data.draw(st.lists(st.integers(0, len(sids)), max_size=2 * len(sids)))
    mask = legal(trie, excluded)
    left = [row for row in range(1, len(sids) + 1) if row not in excluded]
    wanted = np.zeros(trie.nodes, np.bool_)
    if left:
        wanted[0] = True
        wanted[trie.path(trie.row_leaf[left])] = True
    assert np.array_equal(mask, wanted)


def test_masks_are_independent() -> None:
    trie = build([[0, 1], [0, 2]])
    legal(trie, [1])[:] = False
    assert legal(trie).all()


@pytest.mark.parametrize(
    ("sids", "reason"),
    [
        ([], "non-empty"),
        (np.zeros((0, 3), np.int32), "non-empty"),
        ([1, 2], "non-empty"),
        ([[0, 1], [2, -1]], "negative code"),
        ([[0, 1], [2, 3], [0, 1]], "share one semantic ID"),
    ],
)
def test_bad_codes_are_refused_in_one_sentence(sids: I32, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build(sids)


def test_one_item_is_a_chain() -> None:
    trie: Trie = build([[4, 0, 2]])
    assert trie.code.tolist() == [0, 4, 0, 2]
    assert trie.first_child.tolist() == [1, 2, 3, 4, 4]
    assert legal(trie, [1]).tolist() == [False] * 4
