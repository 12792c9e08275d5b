"""Ids to rows and back, unknown ones counted, the popular in their order."""

from fake_service import made_catalogue
from hypothesis import given
from hypothesis import strategies as st

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


def test_tokens_are_a_batch_of_one() -> None:
    rows = resolve(CATALOGUE, CATALOGUE.ids[3:6], 10).rows
    codes, items, lengths = tokens(CATALOGUE, rows)
    assert codes.tolist() == [CATALOGUE.sids[3:6].tolist()]
    assert (items.tolist(), lengths.tolist()) == ([[4, 5, 6]], [3])
    assert {array.dtype.name for array in (codes, items, lengths)} == {"int32"}


def test_rows_of_keeps_order_and_repeats() -> None:
    first, second = CATALOGUE.ids[:2]
    assert rows_of(CATALOGUE, [second, "?", first, second]) == [2, 1, 2]
