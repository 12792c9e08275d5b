"""Systematic resampling, the weights it is fed with, and the beams that come of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_tries import Case, cases, kept_of, made_case, pool_of

from service.engine.protocol import HostTensor
from service.search.plan import Plan, Rule
from service.search.strategies.smc import Resampled, copies, effective_size

F64 = NDArray[np.float64]
LEAST = 2


def plan(temperature: float = 1.0, least: int = LEAST, k_keep: int = 4) -> Plan:
    return replace(Plan.uniform(3, k_keep, 12, rule=Rule(0.0, 1.0)), keeping=Resampled(temperature, least))


@st.composite
def shared(draw: st.DrawFn) -> tuple[F64, NDArray[np.bool_]]:
    """Weights [B,C] of sum 1, filler of weight 0 last."""
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    drawn = [draw(st.lists(st.floats(1e-6, 1e3), min_size=columns, max_size=columns)) for _ in range(rows)]
    legal = np.arange(columns) < np.array([[draw(st.integers(1, columns))] for _ in range(rows)])
    weights = np.where(legal, np.array(drawn), 0)
    return weights / weights.sum(1, keepdims=True), legal


@given(shared(), st.integers(1, 60), st.integers(1, 10))
def test_all_copies_go_to_legal_children_and_enough_of_them(
    drawn: tuple[F64, NDArray[np.bool_]], total: int, least: int
) -> None:
    weights, legal = drawn
    count = copies(weights, legal, total, least)
    alive = legal.sum(1)
    assert count.sum(1).tolist() == [total] * len(count)
    assert count.min() >= 0
    assert not count[~legal].any()
    assert np.all((count > 0).sum(1) >= np.where(alive <= total, alive, np.minimum(least, total)))


@given(shared(), st.integers(1, 60))
def test_copies_are_the_points_of_a_comb_in_every_weights_stretch(
    drawn: tuple[F64, NDArray[np.bool_]], total: int
) -> None:
    weights, legal = drawn
    count = copies(weights, legal, total, 1)
    for row in np.flatnonzero(legal.sum(1) > total):
        assert np.all(np.abs(count[row] - total * weights[row]) < 1 + 1e-9)
        ends = np.cumsum(weights[row]) * total
        points = np.searchsorted(ends, np.arange(total) + 0.5).clip(max=len(ends) - 1)
        assert np.abs(count[row] - np.bincount(points, minlength=len(ends))).sum() <= 2  # a point on an edge


@given(shared(), st.integers(2, 60), st.integers(2, 10))
def test_a_row_short_of_prefixes_gives_the_heaviest_one_each(
    drawn: tuple[F64, NDArray[np.bool_]], total: int, least: int
) -> None:
    weights, legal = drawn
    plain, count = copies(weights, legal, total, 1), copies(weights, legal, total, least)
    wanted = min(least, total)
    for row in np.flatnonzero(legal.sum(1) > total):
        if (plain[row] > 0).sum() >= wanted:
            assert np.array_equal(count[row], plain[row])
        else:
            assert np.all(count[row, np.argsort(-weights[row], kind="stable")[:wanted]] > 0)


@given(cases(depths=(3, 3)), st.sampled_from((0.3, 1.0, 4.0)))
@settings(max_examples=80, deadline=None)
def test_a_child_weighs_its_parents_copies_times_its_probability_times_its_growth(
    case: Case, temperature: float
) -> None:
    pool = pool_of(case, plan(temperature), 1)
    assert isinstance(pool.plan.keeping, Resampled)
    weights, before = pool.plan.keeping.weights(pool), pool.steps[0].pruned
    assert before is not None
    assert before.count is not None
    for row in range(case.context.batch):
        above = before.kept.node.numpy()[row].tolist()
        wanted = np.zeros(weights.shape[1])
        for place in np.flatnonzero(pool.legal[row]):
            parent = above.index(case.engine.trie.parent[pool.node[row, place]])
            chance = np.exp(pool.log_prob[row, place] - before.kept.log_prob.numpy()[row, parent])
            growth = np.exp((pool.reward[row, place] - before.reward.numpy()[row, parent]) / temperature)
            wanted[place] = before.count.numpy()[row, parent] * chance * growth
        assert np.allclose(weights[row], wanted / wanted.sum(), rtol=1e-4)


@given(cases(depths=(3, 3)), st.floats(-50, 50), st.floats(-50, 50))
@settings(max_examples=50, deadline=None)
def test_the_free_constants_of_two_levels_cancel(case: Case, here: float, above: float) -> None:
    pool = pool_of(case, plan(), 1)
    assert isinstance(pool.plan.keeping, Resampled)
    first = pool.steps[0]
    assert first.pruned is not None
    moved = replace(first.pruned, reward=HostTensor((first.pruned.reward.numpy() + above).astype(np.float32)))
    shifted = replace(pool.at((pool.reward + here).astype(np.float32)), steps=(replace(first, pruned=moved),))
    weights = pool.plan.keeping.weights
    assert np.allclose(weights(pool), weights(shifted), atol=1e-3)


@given(cases(depths=(3, 3)), st.sampled_from((0.2, 1.0)))
@settings(max_examples=50, deadline=None)
def test_a_beam_holds_every_prefix_once_with_its_copies(case: Case, temperature: float) -> None:
    pool = pool_of(case, plan(temperature), 1)
    assert isinstance(pool.plan.keeping, Resampled)
    kept = pool.plan.keeping(pool)
    wanted = copies(pool.plan.keeping.weights(pool), pool.legal, pool.k_keep, LEAST)
    assert kept.count is not None
    for row, count in enumerate(kept.count.numpy()):
        assert count.sum() == pool.k_keep
        assert len(kept_of(kept, row)) == (count > 0).sum() <= pool.k_keep
        assert np.array_equal(count[count > 0], wanted[row][kept.order.numpy()[row, count > 0]])
        assert np.all(np.diff(count) <= 0)


def test_a_sure_prm_goes_on_with_few_prefixes_and_an_unsure_one_with_many() -> None:
    sids = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1).astype(np.int32)
    case = made_case(sids, [[1, 2]], [set()])
    sizes = []
    for temperature in (0.01, 1.0, 100.0):
        pool = pool_of(case, plan(temperature, k_keep=8), 1)
        assert isinstance(pool.plan.keeping, Resampled)
        sizes.append(len(kept_of(pool.plan.keeping(pool), 0)))
    assert LEAST == sizes[0] < sizes[1] <= sizes[2] <= 8


@given(shared())
def test_the_effective_size_lies_between_one_and_all(drawn: tuple[F64, NDArray[np.bool_]]) -> None:
    weights, legal = drawn
    size = effective_size(weights)
    assert np.all(size >= 1 - 1e-9)
    assert np.all(size <= legal.sum(1) + 1e-9)


def test_the_effective_size_counts_equal_weights() -> None:
    assert effective_size(np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]])).tolist() == [4, 1, 2]


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": -1.0}, {"temperature": np.nan}, {"least": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="temperature"):
        Resampled(**wrong)  # type: ignore[arg-type]  # choices by name


def test_a_longer_list_needs_more_prefixes() -> None:
    usual = Resampled(least=10)
    assert usual.at_least(10) is usual
    assert usual.at_least(25) == Resampled(least=25)
