import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import metrics

ranks = st.lists(st.integers(0, 30), min_size=1, max_size=40).map(lambda rank: np.array(rank, np.int32))
cuts = st.integers(1, 30)
fates = st.integers(1, 30).flatmap(
    lambda users: st.tuples(
        *[
            st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=users, max_size=users)
            for _ in "kb"
        ]
    )
)
# Few distinct values, so that ties are the rule.
tied_scores = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 3.0]), min_size=1, max_size=12)
draws = st.floats(0, 1, exclude_max=True)


def f32(*values: float) -> NDArray[np.float32]:
    return np.array([values], np.float32)


def i32(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


@settings(deadline=None)
@given(ranks, cuts)
def test_recall_and_ndcg_agree_with_a_list_by_list_count(rank: NDArray[np.int32], k: int) -> None:
    hits, gains = 0, 0.0
    for place in rank.tolist():
        relevance = [1 if position == place else 0 for position in range(1, k + 1)]
        hits += sum(relevance)
        gains += sum(gain / math.log2(position + 1) for position, gain in enumerate(relevance, 1))
    assert metrics.recall(rank, k) == pytest.approx(hits / len(rank))
    assert metrics.ndcg(rank, k) == pytest.approx(gains / len(rank))


@settings(deadline=None)
@given(ranks, cuts, cuts)
def test_a_longer_list_never_recalls_less(rank: NDArray[np.int32], one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert metrics.recall(rank, short) <= metrics.recall(rank, long)
    assert metrics.ndcg(rank, short) <= metrics.ndcg(rank, long) + 1e-12
    assert metrics.ndcg(rank, long) <= metrics.recall(rank, long)


@settings(deadline=None)
@given(tied_scores, draws, st.data())
def test_rank_in_list_is_one_place_of_the_tie_and_order_is_as_listed(
    values: list[float], draw: float, data: st.DataObject
) -> None:
    values = sorted(values, reverse=True)
    rows = data.draw(st.permutations(range(1, len(values) + 1)))
    for place, row in enumerate(rows):
        got = metrics.rank_in_list(i32(*rows)[None], f32(*values), i32(row), np.array([draw]))
        tie = [p + 1 for p, value in enumerate(values) if value == values[place]]
        assert got.by_order.tolist() == [place + 1]
        assert got.shuffled.tolist() == [tie[math.floor(draw * len(tie))]]


@settings(deadline=None)
@given(tied_scores)
def test_all_orders_of_the_ties_are_equally_likely(values: list[float]) -> None:
    """The mean rank over evenly spread draws equals the mean over every permutation of the tied items."""
    values, draws_used = sorted(values, reverse=True)[:5], (np.arange(2520) + 0.5) / 2520
    rows = i32(*range(1, len(values) + 1))
    orders = [p for p in itertools.permutations(rows.tolist()) if [values[r - 1] for r in p] == values]
    for row in rows.tolist():
        batch = np.repeat(rows[None], len(draws_used), 0), np.repeat(f32(*values), len(draws_used), 0)
        got = metrics.rank_in_list(*batch, np.full(len(draws_used), row, np.int32), draws_used)
        assert got.shuffled.mean() == pytest.approx(np.mean([order.index(row) + 1 for order in orders]))


@settings(deadline=None)
@given(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 2.5]), min_size=1, max_size=12), draws)
def test_rank_in_scores_agrees_with_sorting(values: list[float], draw: float) -> None:
    order = sorted(range(len(values)), key=lambda column: (-values[column], column))
    for column, value in enumerate(values):
        got = metrics.rank_in_scores(f32(*values), i32(column + 1), np.array([draw]))
        if math.isinf(value):
            assert (got.by_order.tolist(), got.shuffled.tolist()) == ([0], [0])
            continue
        places = [place + 1 for place, other in enumerate(order) if values[other] == value]
        assert got.by_order.tolist() == [order.index(column) + 1]
        assert got.shuffled.tolist() == [places[math.floor(draw * len(places))]]


@settings(deadline=None)
@given(tied_scores, draws, st.data())
def test_shuffled_ranks_survive_renumbering(values: list[float], draw: float, data: st.DataObject) -> None:
    new_row = data.draw(st.permutations(range(len(values))))
    renumbered = np.empty((1, len(values)), np.float32)
    renumbered[0, new_row] = values
    for column in range(len(values)):
        before = metrics.rank_in_scores(f32(*values), i32(column + 1), np.array([draw]))
        after = metrics.rank_in_scores(renumbered, i32(new_row[column] + 1), np.array([draw]))
        assert before.shuffled.tolist() == after.shuffled.tolist()


def test_filler_is_never_a_hit_and_an_absent_target_has_rank_zero() -> None:
    listed, score = np.array([[7, 3, 3], [7, 3, 5]], np.int32), np.array([[2, 1, -np.inf]] * 2, np.float32)
    got = metrics.rank_in_list(listed, score, i32(3, 5), np.array([0.9, 0.9]))
    assert got.shuffled.tolist() == got.by_order.tolist() == [2, 0]


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        metrics.rank_in_list(i32(1, 2)[None], f32(1, math.nan), i32(1), np.array([0.0]))
    with pytest.raises(ValueError, match="not a number"):
        metrics.rank_in_scores(f32(1, math.nan), i32(1), np.array([0.0]))


@settings(deadline=None)
@given(fates)
def test_misses_without_prm_minus_misses_with_it_are_rescue_minus_damage(
    fate: tuple[list[tuple[bool, ...]], list[tuple[bool, ...]]],
) -> None:
    kept, beam = (np.array(side, np.bool_) for side in fate)
    without, with_prm = 1 - metrics.hrecall(beam), 1 - metrics.hrecall(kept)
    rescued, damaged = metrics.rescue(kept, beam), metrics.damage(kept, beam)
    np.testing.assert_allclose(without - with_prm, rescued - damaged, atol=1e-12)
    pairs = list(zip(fate[0], fate[1], strict=True))
    for b in range(3):
        assert rescued[b] * len(pairs) == pytest.approx(sum(k[b] and not p[b] for k, p in pairs))
        assert damaged[b] * len(pairs) == pytest.approx(sum(p[b] and not k[b] for k, p in pairs))


def test_holds_looks_only_at_what_is_no_filler() -> None:
    node = np.array([[4, 9], [4, 9], [4, 9]], np.int32)
    log_prob = np.array([[-1, -2], [-1, -np.inf], [-1, -2]], np.float32)
    assert metrics.holds(node, log_prob, i32(9, 9, 5)).tolist() == [True, False, False]


users_pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


@settings(deadline=None)
@given(users_pairs, st.integers(0, 1000))
def test_bootstrap_interval_holds_the_point_estimate_and_mirrors(pairs: list[tuple[float, float]], seed: int) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    got, back = (metrics.paired_bootstrap(*pair, seed, 200) for pair in ((first, second), (second, first)))
    assert got.difference == pytest.approx(np.mean(first) - np.mean(second), abs=1e-9)
    assert got.low - 1e-9 <= got.difference <= got.high + 1e-9
    assert (back.low, back.high) == pytest.approx((-got.high, -got.low), abs=1e-9)
    assert got == metrics.paired_bootstrap(first, second, seed, 200)


def test_bootstrap_interval_has_the_width_that_theory_gives_and_keeps_pairs_together() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=4000)
    first, second = shared + rng.normal(0.1, 0.2, 4000), shared
    got = metrics.paired_bootstrap(first, second, seed=0)
    half = 1.96 * np.std(first - second) / math.sqrt(4000)
    assert (got.high - got.low) / 2 == pytest.approx(half, rel=0.15)
    assert got.low > 0


def test_bootstrap_refuses_different_users() -> None:
    with pytest.raises(ValueError, match="same users"):
        metrics.paired_bootstrap(np.zeros(3), np.zeros(4), 0)
    with pytest.raises(ValueError, match="same users"):
        metrics.paired_bootstrap(np.zeros(0), np.zeros(0), 0)
