"""The rules against a plain reading of them, whatever nodes an engine may say."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made_catalogue

from service.search.legality import Banned
from service.search.trie import Trie, banned, build
from service.search.verification import FEW, RULES, checks, verify

CATALOGUE = made_catalogue(items=60, depth=3, codes=5)
TRIE = build(CATALOGUE.sids, [row for row in range(1, 61) if row % 7])
LEAVES = range(TRIE.first_leaf, TRIE.nodes)
NODES = st.one_of(st.sampled_from(LEAVES), st.integers(-3, TRIE.nodes + 3))
SCORES = st.one_of(st.floats(-9, 9, width=32), st.sampled_from([math.nan, math.inf, -math.inf]))
GIVEN = st.lists(st.tuples(NODES, SCORES), max_size=2 * FEW)
HIDDEN = st.frozensets(st.integers(1, 60), max_size=40)


def first_broken(illegal: set[int], nodes: Sequence[int], scores: Sequence[float], at: int) -> str | None:
    node, stocked = nodes[at], {int(leaf) for leaf in TRIE.row_leaf if leaf}
    if node not in LEAVES:
        return "valid_path"
    broken = (node not in stocked, node in illegal, node in nodes[:at], not math.isfinite(scores[at]))
    return next((rule for rule, yes in zip(RULES[1:], broken, strict=True) if yes), None)


def illegal_leaves(illegal: Banned) -> set[int]:
    return set(np.flatnonzero(illegal.mask).tolist()) if illegal.mask is not None else set(illegal.nodes.tolist())


@given(GIVEN, HIDDEN, st.booleans())
def test_what_is_left_keeps_all_rules_and_the_rest_is_counted(
    found: list[tuple[int, float]], hidden: frozenset[int], filtered: bool
) -> None:
    nodes, scores = [node for node, _ in found], [score for _, score in found]
    illegal = banned(TRIE, hidden, np.ones(61, np.bool_) if filtered else None)
    checked = verify(TRIE, illegal, np.array(nodes, np.int32), np.array(scores, np.float32))
    wanted = [first_broken(illegal_leaves(illegal), nodes, scores, at) for at in range(len(nodes))]
    assert checked.kept.tolist() == [rule is None for rule in wanted]
    assert checked.broken == {rule: wanted.count(rule) for rule in RULES if rule in wanted}


def damaged(trie: Trie, name: str, at: int, value: int) -> Trie:
    array = getattr(trie, name).copy()
    array[at] = value
    return replace(trie, **{name: array})


@pytest.mark.parametrize("count", [1, FEW + 1])
def test_a_leaf_whose_item_has_left_is_not_in_stock(count: int) -> None:
    nodes = np.array(LEAVES[:count], np.int32)
    gone = int(TRIE.rows(nodes)[0])
    checked = verify(damaged(TRIE, "row_leaf", gone, 0), banned(TRIE), nodes, np.zeros(count, np.float32))
    assert checked.broken == {"in_stock": 1}
    assert not checked.kept[0]


@pytest.mark.parametrize("count", [1, FEW + 1])
@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_path_that_does_not_lead_to_the_root_is_broken(above: int, count: int) -> None:
    """One after the other, the last leaf and its ancestors get another parent: the first node of the depth, or 1."""
    nodes = np.array(LEAVES[-count:], np.int32)
    wrong, parent = TRIE.path(nodes)[-1, 2 - above], max(1, int(TRIE.level_start[2 - above]))
    checked = verify(damaged(TRIE, "parent", wrong, parent), banned(TRIE), nodes, np.zeros(count, np.float32))
    assert not checked.kept[-1]
    assert checked.broken == {"valid_path": np.count_nonzero(~checked.kept)}


def test_every_rule_is_reported() -> None:
    told = checks(7, {"distinct": 2})
    assert [one.rule for one in told] == list(RULES)
    assert [one.checked for one in told] == [7] * len(RULES)
    assert [one.broken for one in told] == [0, 0, 0, 2, 0]
