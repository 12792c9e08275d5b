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
        below = range(trie.leaf_start[node], trie.leaf_start[node] + trie.leaf_count[node])
        assert all(tuple(sids[trie.leaf_row[at] - 1][: len(prefix)]) == prefix for at in below)
    assert (trie.code[0], trie.parent[0], trie.leaf_count[0], trie.leaf_start[0]) == (0, 0, len(sids), 0)
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
@given(sids=some_sids(), strangers=st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=10))
def test_a_path_of_codes_is_found_or_is_none(sids: I32, strangers: list[list[int]]) -> None:
    trie = build(sids)
    number = {prefix: node for node, prefix in enumerate(prefixes(sids))}
    assert all(trie.find(prefix) == node for prefix, node in number.items())
    assert all(trie.find(codes) == number.get(tuple(codes), 0) for codes in strangers if len(codes) <= trie.depth)


@EXAMPLES
@given(data=st.data(), sids=some_sids())
def test_only_some_rows_are_reachable_and_all_keep_their_number(data: st.DataObject, sids: I32) -> None:
    everyone = list(range(1, len(sids) + 1))
    rows = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    trie, alone = build(sids, rows), build(sids[np.sort(rows) - 1])
    assert trie.row_leaf.shape == (len(sids) + 1,)
    assert {row for row in everyone if trie.row_leaf[row]} == set(rows)
    assert np.array_equal(trie.rows(trie.row_leaf[rows]), rows)
    for name in ("first_child", "code", "parent", "level_start", "leaf_count", "leaf_start"):
        assert np.array_equal(getattr(trie, name), getattr(alone, name)), name
    assert np.array_equal(trie.leaf_row, np.sort(rows)[alone.leaf_row - 1])
    gone = [row for row in everyone if row not in rows]
    assert np.array_equal(legal(trie, gone), legal(trie)), "excluding what is unreachable changes nothing"


@EXAMPLES
@given(data=st.data(), sids=some_sids())
def test_a_prefix_is_legal_while_an_item_below_it_is(data: st.DataObject, sids: I32) -> None:
    everyone = list(range(1, len(sids) + 1))
    reachable = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    trie = build(sids, reachable)
    excluded = data.draw(st.lists(st.integers(0, len(sids)), max_size=2 * len(sids)))
    allowed = data.draw(st.none() | st.lists(st.booleans(), min_size=len(sids) + 1, max_size=len(sids) + 1))
    mask = legal(trie, excluded, None if allowed is None else np.array(allowed))
    left = [row for row in reachable if row not in excluded and (allowed is None or allowed[row])]
    wanted = np.zeros(trie.nodes, np.bool_)
    if left:
        wanted[0] = True
        wanted[trie.path(trie.row_leaf[left])] = True
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, wanted)


def test_masks_are_independent() -> None:
    trie = build([[0, 1], [0, 2]])
    legal(trie, [1])[:] = False
    assert legal(trie).all()
    allowed = np.ones(3, np.bool_)
    legal(trie, [1], allowed)[:] = False
    assert allowed.all()


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


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "at least one reachable"),
        ([0], "run from 1 to 2"),
        ([1, 3], "run from 1 to 2"),
        ([1, 1], "share one semantic ID"),
    ],
)
def test_rows_that_are_none_are_refused(rows: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build([[0, 1], [2, 3]], rows)


def test_two_items_may_share_a_path_while_one_is_reachable() -> None:
    trie = build([[0, 1], [2, 3], [0, 1]], [2, 3])
    assert trie.row_leaf.tolist() == [0, 0, 4, 3]
    assert trie.leaf_row.tolist() == [3, 2]
