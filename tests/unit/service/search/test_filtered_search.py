"""Filters, exclusions and allow lists inside the search: only legal items, all that were asked for, the best ones."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bundle import BRANDS, named_catalogue
from numpy.typing import NDArray

from service.engine.fake import FakeEngine
from service.engine.protocol import Bool, Context
from service.filters import Filter, allowed_rows
from service.items import tokens
from service.search.guided import Found, search
from service.search.plan import Level, Plan, Rule
from service.search.trie import Banned, banned, build

ITEMS = 150
CATALOGUE = named_catalogue(items=ITEMS, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)
RULE = Rule(leaf=0.3, prefix=1.0)
DEFAULT = Plan.uniform(3, 50, 200, rule=RULE)
NARROW = Plan.uniform(3, 3, 6, rule=RULE)
EXHAUSTIVE = Plan((Level(ITEMS, ITEMS),) * 3, rule=RULE)
HISTORIES = [[1, 2, 3], [77], [9, 120, 33, 4, 5, 6]]
PATHS = ("Beauty", "Beauty > Hair", "Beauty > Haircuts", "Garden", "Oils")

ids = st.lists(st.sampled_from(CATALOGUE.ids), max_size=40).map(tuple)
filters = st.builds(
    Filter,
    st.lists(st.sampled_from(PATHS), max_size=2).map(tuple),
    st.lists(st.sampled_from([name for name in BRANDS if name]), max_size=2).map(tuple),
    st.none() | ids,
)
excluded_rows = st.lists(st.integers(1, ITEMS), max_size=60)


@settings(max_examples=500, deadline=None)
@given(
    wanted=filters,
    excluded=excluded_rows,
    history=st.sampled_from(range(len(HISTORIES))),
    k=st.integers(1, 20),
    plan=st.sampled_from([DEFAULT, NARROW]),
)
def test_any_filter_finds_k_legal_items_or_all_there_are(
    wanted: Filter, excluded: list[int], history: int, k: int, plan: Plan
) -> None:
    mask = allowed_rows(CATALOGUE, wanted)
    left = legal_rows(mask, excluded)
    given_context = context(history, banned(TRIE, excluded, mask))

    found = rows(search(ENGINE, given_context, plan, k))
    assert len(found) == len(set(found)) == min(k, len(left))
    assert set(found) <= left

    whole = search(ENGINE, given_context, EXHAUSTIVE, k)
    alone = scores_alone(history)
    best = sorted(left, key=lambda row: (-alone[row], TRIE.row_leaf[row]))[:k]
    assert rows(whole) == best
    assert whole.score[0, : len(best)].tolist() == [alone[row] for row in best]


def legal_rows(mask: Bool | None, excluded: list[int]) -> set[int]:
    return {row for row in range(1, ITEMS + 1) if row not in excluded and (mask is None or mask[row])}


def context(history: int, illegal: Banned) -> Context:
    codes, items, lengths = tokens(CATALOGUE, np.array(HISTORIES[history], np.int32))
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, [illegal])


@cache
def scores_alone(history: int) -> dict[int, float]:
    """The oracle: the score of every item when it is the only one that may be found."""
    return {row: score_alone(history, row) for row in range(1, ITEMS + 1)}


def score_alone(history: int, row: int) -> float:
    only: NDArray[np.bool_] = np.arange(ITEMS + 1) == row
    found = search(ENGINE, context(history, banned(TRIE, (), only)), Plan.uniform(3, 1, 1, rule=RULE), 1)
    assert rows(found) == [row]
    return float(found.score[0, 0])


def rows(found: Found) -> list[int]:
    real = np.isfinite(found.log_prob[0])
    listed: list[int] = TRIE.rows(found.node[0, real]).tolist()
    return listed
