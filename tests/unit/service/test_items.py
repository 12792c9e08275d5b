"""Ids to rows and back, unknown ones counted, the popular in their order."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made import made_catalogue

from service.items import popular, resolve, rows_of, tokens

CATALOGUE = made_catalogue(items=50)
ids = st.lists(st.one_of(st.sampled_from(CATALOGUE.ids), st.text(max_size=8)), max_size=30)


@given(ids, st.integers(1, 12))
def test_every_id_of_a_history_is_accounted_for(history: list[str], limit: int) -> None:
    found = resolve(CATALOGUE, history, limit)
    assert len(found.rows) + found.truncated + found.unknown == len(history)
    assert len(found.rows) <= limit
    known = [item for item in history if item in CATALOGUE.rows]
    assert [CATALOGUE.ids[row - 1] for row in found.rows] == known[-limit:]
    assert {CATALOGUE.ids[row - 1] for row in found.seen} == set(known)


@given(st.frozensets(st.integers(1, 50)), st.integers(1, 60))
def test_the_popular_are_the_most_popular_that_are_left(excluded: frozenset[int], k: int) -> None:
    rows = popular(CATALOGUE, excluded, k)
    expected = [row for row in CATALOGUE.by_popularity.tolist() if row not in excluded]
    assert rows == expected[:k]


@given(st.frozensets(st.integers(1, 50)), st.frozensets(st.integers(1, 50)), st.integers(1, 60))
def test_the_popular_respect_a_filter(excluded: frozenset[int], allowed: frozenset[int], k: int) -> None:
    mask = np.isin(np.arange(51), list(allowed))
    expected = [row for row in CATALOGUE.by_popularity.tolist() if row in allowed and row not in excluded]
    assert popular(CATALOGUE, excluded, k, mask) == expected[:k]


def test_what_is_not_on_offer_is_not_popular() -> None:
    best, second, *_ = CATALOGUE.by_popularity.tolist()
    fewer = replace(CATALOGUE, by_popularity=CATALOGUE.by_popularity[1:])
    assert popular(fewer, (), 1) == [second]
    assert popular(fewer, (), 50, np.arange(51) == best) == []


def test_tokens_are_a_batch_of_one() -> None:
    rows = resolve(CATALOGUE, CATALOGUE.ids[3:6], 10).rows
    codes, items, lengths = tokens(CATALOGUE, rows)
    assert codes.tolist() == [CATALOGUE.sids[3:6].tolist()]
    assert (items.tolist(), lengths.tolist()) == ([[4, 5, 6]], [3])
    assert {array.dtype.name for array in (codes, items, lengths)} == {"int32"}


def test_an_item_without_a_learned_row_is_read_by_its_codes() -> None:
    grown = replace(CATALOGUE, added=2)
    rows = np.array([48, 49, 50], np.int32)
    codes, items, lengths = tokens(grown, rows)
    assert codes.tolist() == [CATALOGUE.sids[47:50].tolist()]
    assert (items.tolist(), lengths.tolist(), items.dtype.name) == ([[48, 0, 0]], [3], "int32")


def test_rows_of_keeps_order_and_repeats() -> None:
    first, second = CATALOGUE.ids[:2]
    assert rows_of(CATALOGUE, [second, "?", first, second]) == [2, 1, 2]
