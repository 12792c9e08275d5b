"""The trie against sets of prefixes written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search import building
from service.search.trie import Trie, banned, build

I32 = NDArray[np.int32]
Path = tuple[int, ...]
EXAMPLES = settings(max_examples=80, deadline=None)
HUGE = 2**31 - 1


@st.composite
def some_sids(draw: st.DrawFn) -> I32:
    """Also codes so large that a path of 2 levels just packs into an integer, alone, and one of 3 does not."""
    depth = draw(st.integers(1, 4))
    code = draw(st.sampled_from([st.integers(0, 4), st.sampled_from([0, 1, HUGE - 1, HUGE])]))
    return np.array(draw(st.lists(st.tuples(*[code] * depth), min_size=1, max_size=30, unique=True)), np.int32)


def prefixes(sids: I32) -> list[Path]:
    """Every prefix, breadth first and by code: what the numbering promises."""
    paths = [tuple(row) for row in sids.tolist()]
    return [one for b in range(sids.shape[1] + 1) for one in sorted({path[:b] for path in paths})]


@EXAMPLES
@given(sids=some_sids())
def test_nodes_are_the_prefixes_breadth_first_and_by_code(sids: I32) -> None:
    trie, wanted = build(sids), prefixes(sids)
    number = {prefix: node for node, prefix in enumerate(wanted)}
    assert (trie.nodes, trie.items) == (len(wanted), len(sids))
    assert trie.depth == sids.shape[1]
    for node, prefix in enumerate(wanted[1:], start=1):
        assert trie.code[node] == prefix[-1]
        assert trie.parent[node] == number[prefix[:-1]]
        assert trie.level_start[len(prefix)] <= node < trie.level_start[len(prefix) + 1]
    assert (trie.code[0], trie.parent[0]) == (0, 0)
    assert trie.level_start[:2].tolist() == [0, 1]


@EXAMPLES
@given(sids=some_sids(), at_once=st.integers(1, 7))
def test_how_many_paths_are_numbered_at_a_time_changes_nothing(sids: I32, at_once: int) -> None:
    whole = build(sids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "AT_ONCE", at_once)
        parts = build(sids)
    assert all(np.array_equal(array, getattr(parts, name)) for name, array in vars(whole).items())


@EXAMPLES
@given(sids=some_sids())
def test_children_are_a_contiguous_range_of_inner_nodes(sids: I32) -> None:
    trie = build(sids)
    assert trie.first_child.shape == (trie.first_leaf + 1,)
    for node in range(trie.first_leaf):
        children = np.arange(trie.first_child[node], trie.first_child[node + 1])
        assert children.size
        assert children.tolist() == [n for n in range(1, trie.nodes) if trie.parent[n] == node]
    for level in range(trie.depth):
        owners = range(trie.level_start[level], trie.level_start[level + 1])
        assert trie.branching(level) == max(trie.first_child[n + 1] - trie.first_child[n] for n in owners)


@EXAMPLES
@given(sids=some_sids())
def test_a_gather_of_as_many_codes_as_a_node_can_have_stays_inside(sids: I32) -> None:
    trie = build(sids)
    widest = max(trie.branching(level) for level in range(trie.depth))
    assert trie.code.shape == (trie.nodes + widest,)
    assert trie.first_child[:-1].max() + widest <= len(trie.code)
    assert not trie.code[trie.nodes :].any()


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
def test_a_path_of_codes_is_found_or_is_none(data: st.DataObject, sids: I32) -> None:
    trie = build(sids)
    number = {prefix: node for node, prefix in enumerate(prefixes(sids))}
    assert all(trie.find(prefix) == node for prefix, node in number.items())
    depth = data.draw(st.integers(1, trie.depth))
    code = st.integers(0, 6) | st.sampled_from(sids.ravel().tolist())
    strangers = data.draw(st.lists(st.tuples(*[code] * depth), max_size=10))
    asked = [path[:depth] for path in map(tuple, sids.tolist())] + strangers
    assert [trie.find(codes) for codes in asked] == [number.get(codes, 0) for codes in asked]
    assert trie.find_all(np.array(asked, np.int32)).tolist() == [number.get(codes, 0) for codes in asked]


@EXAMPLES
@given(data=st.data(), sids=some_sids())
def test_only_some_rows_are_reachable_and_all_keep_their_number(data: st.DataObject, sids: I32) -> None:
    everyone = list(range(1, len(sids) + 1))
    rows = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    trie, alone = build(sids, rows), build(sids[np.sort(rows) - 1])
    assert trie.row_leaf.shape == (len(sids) + 1,)
    assert {row for row in everyone if trie.row_leaf[row]} == set(rows)
    assert np.array_equal(trie.rows(trie.row_leaf[rows]), rows)
    for name in ("first_child", "code", "parent", "level_start"):
        assert np.array_equal(getattr(trie, name), getattr(alone, name)), name
    assert np.array_equal(trie.leaf_row, np.sort(rows)[alone.leaf_row - 1])
    gone = [row for row in everyone if row not in rows]
    assert not banned(trie, gone).nodes.size, "excluding what is unreachable changes nothing"


@EXAMPLES
@given(items=st.integers(1, 3000), spread=st.sampled_from([2, 30, 2000]), seed=st.integers(0, 99))
def test_an_item_takes_few_bytes(items: int, spread: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sids = np.unique(rng.integers(0, spread, (items, 3)), axis=0).astype(np.int32)
    trie, first_codes = build(sids), len(np.unique(sids[:, 0]))
    assert trie.nbytes == sum(array.nbytes for array in vars(trie).values())
    assert trie.nbytes <= 28 * trie.items + 12 * first_codes + 4 * max(map(trie.branching, range(3))) + 50


@pytest.mark.parametrize(
    ("sids", "reason"),
    [
        ([], "non-empty"),
        (np.zeros((0, 3), np.int32), "non-empty"),
        ([1, 2], "non-empty"),
        ([[0, 1], [2, -1]], "negative code"),
        ([[0, 1], [2, 3], [0, 1]], "share one semantic ID"),
        ([[HUGE, 1, HUGE], [2, 3, 4], [HUGE, 1, HUGE]], "share one semantic ID"),
    ],
)
def test_bad_codes_are_refused_in_one_sentence(sids: I32, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build(sids)


def test_one_item_is_a_chain() -> None:
    trie: Trie = build([[4, 0, 2]])
    assert trie.code.tolist() == [0, 4, 0, 2, 0]
    assert trie.first_child.tolist() == [1, 2, 3, 4]
    assert banned(trie, [1]).nodes.tolist() == [0, 1, 2, 3]


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
