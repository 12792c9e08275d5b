"""Levels as columns: joining two of them, row by row, against sets and dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search import choosing
from service.search.strategies.columns import Columns

Children = Mapping[int, bool]  # node → was it kept
ROWS = st.lists(st.dictionaries(st.integers(1, 30), st.booleans(), max_size=8), min_size=3, max_size=3)


def value(node: int, salt: int) -> float:
    return float(np.float32(-((node * 7919 + salt) % 31) - 0.5))


def made(rows: Sequence[Children], filler: int = 0) -> Columns:
    """Columns of these rows, and so many filler columns more."""
    width = max(1, *(len(row) for row in rows)) + filler

    def column(values: Sequence[Sequence[float]], empty: float, dtype: str) -> NDArray[Any]:
        return np.array([[*row, *[empty] * (width - len(row))] for row in values], dtype)

    ordered = [sorted(row, key=lambda node: (-value(node, 1), node)) for row in rows]
    return Columns(
        column(ordered, 9, "int32"),  # filler may carry any node
        column([[value(node, 1) for node in row] for row in ordered], -np.inf, "float32"),
        column([[value(node, 2) for node in row] for row in ordered], -np.inf, "float32"),
        column([[row[node] for node in order] for row, order in zip(rows, ordered, strict=True)], 0, "bool"),
    )


def told(columns: Columns) -> list[dict[int, bool]]:
    """node → was it kept, in order, without filler."""
    rows = zip(columns.node.tolist(), np.isfinite(columns.log_prob).tolist(), columns.kept.tolist(), strict=True)
    return [{node: kept for node, real, kept in zip(*row, strict=True) if real} for row in rows]


@given(ROWS, ROWS, st.integers(0, 3))
def test_joined_children_are_those_of_both_each_once_most_probable_first(
    one: list[Children], two: list[Children], filler: int
) -> None:
    both = made(one, filler).joined(made(two))
    for row, (left, right) in enumerate(zip(one, two, strict=True)):
        found = told(both)[row]
        assert list(found) == sorted({*left, *right}, key=lambda node: (-value(node, 1), node))
        assert {node for node, kept in found.items() if kept} == {
            node for part in (left, right) for node, kept in part.items() if kept
        }
        assert both.reward[row, : len(found)].tolist() == [value(node, 2) for node in found]
    assert both.node.shape[1] == max(1, *(len(row) for row in told(both)))
    assert not both.kept[~np.isfinite(both.log_prob)].any()


@given(ROWS, st.sampled_from((0.0, 0.3, 1.0)))
def test_a_step_of_columns_is_read_back_as_them(rows: list[Children], weight: float) -> None:
    columns = made(rows, 1)
    step = replace(columns, seconds=(1.0, 2.0)).step(1, weight)
    assert told(Columns.of(step)) == told(columns)
    assert (step.level, step.expand_s, step.prune_s) == (1, 1.0, 2.0)
    assert step.pruned is not None
    score = choosing.scores(step.pruned.reward.numpy(), step.kept.log_prob.numpy(), weight)
    order, node = step.pruned.order.numpy(), columns.node
    for row, kept in enumerate(columns.kept.sum(1)):
        assert (np.diff(score[row, :kept]) <= 0).all()
        assert np.array_equal(step.kept.node.numpy()[row], node[row, order[row]])
        assert not np.isfinite(step.kept.log_prob.numpy()[row, kept:]).any()
        assert set(order[row, kept:].tolist()) <= set(order[row, :1].tolist()), "filler names nothing else"


@given(ROWS)
def test_what_could_have_been_kept_and_was_not_is_rejected(rows: list[Children]) -> None:
    columns = made(rows)
    for row, children in enumerate(rows):
        free = np.isfinite(columns.rejected(columns.reward)[row])
        rejected = set(columns.node[row, free].tolist())
        assert rejected == {node for node, kept in children.items() if not kept}


@given(ROWS, st.integers(1, 5))
def test_opened_are_the_most_promising_of_what_may_be(rows: list[Children], count: int) -> None:
    columns = made(rows)
    promise = columns.rejected(columns.score(0.0))
    opened = columns.opened(promise, count)
    for row, children in enumerate(rows):
        free = sorted((value(node, 2) for node, kept in children.items() if not kept), reverse=True)
        assert sorted(opened.reward[row, opened.kept[row]].tolist(), reverse=True) == free[:count]
        assert not (opened.kept & ~np.isfinite(promise)).any()
    assert np.array_equal(columns.also(opened).kept, columns.kept | opened.kept)


@given(ROWS, st.permutations(range(5)))
def test_rows_that_are_spread_over_a_batch_are_found_there(rows: list[Children], places: list[int]) -> None:
    at = np.sort(places[:3])
    spread = made(rows).spread(at, 5)
    assert told(spread.rows(at)) == told(made(rows))
    assert [told(spread)[row] for row in places[3:]] == [{}, {}]
