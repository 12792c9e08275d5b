"""The margin of relaxed pruning: what it lets through, and how it grows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import Case, cases, kept_of, made_case, pool_of

from service.search.plan import Plan, Rule
from service.search.strategies.relaxed import Relaxed, surest

K_KEEP, K_PLUS = 3, 12
MARGINS = st.floats(0, 8)


def plan(keeping: Relaxed) -> Plan:
    return replace(Plan.uniform(3, K_KEEP, K_PLUS, rule=Rule(0.0, 1.0)), keeping=keeping)


def kept(case: Case, keeping: Relaxed) -> list[set[int]]:
    pool = pool_of(case, plan(keeping), 1)
    return [kept_of(keeping(pool), row) for row in range(case.context.batch)]


@given(cases(depths=(3, 3)), MARGINS, MARGINS, st.floats(1, 4))
@settings(max_examples=80, deadline=None)
def test_it_keeps_what_scores_within_the_margin_of_the_last(case: Case, base: float, slope: float, most: float) -> None:
    keeping = Relaxed(base, slope, most)
    pool = pool_of(case, plan(keeping), 1)
    beam = keeping(pool)
    for row in range(case.context.batch):
        real = pool.legal[row]
        score, node, reward = pool.score[row, real], pool.node[row, real], pool.reward[row, real]
        order = np.argsort(-score, kind="stable")
        margin = base + slope * (1 - np.exp(reward.max() - np.logaddexp.reduce(reward)))
        near = [place for place in order if score[place] > score[order[:K_KEEP][-1]] - margin - 1e-5]
        wanted = node[near if len(near) > K_KEEP else order[:K_KEEP]][: int(most * K_KEEP)]
        assert set(wanted.tolist()) >= kept_of(beam, row) >= set(node[order[:K_KEEP]].tolist())
        sure = [place for place in near if score[place] > score[order[:K_KEEP][-1]] - margin + 1e-5]
        assert kept_of(beam, row) >= set(node[sure][: int(most * K_KEEP)].tolist())


@given(cases(depths=(3, 3)), MARGINS, MARGINS, MARGINS)
@settings(max_examples=60, deadline=None)
def test_a_wider_margin_keeps_more(case: Case, base: float, slope: float, more: float) -> None:
    narrow = Relaxed(base, slope, most=9)
    pool = pool_of(case, plan(narrow), 1)  # one for all: a wider beam above would offer other children
    for wider in (Relaxed(base + more, slope, most=9), Relaxed(base, slope + more, most=9)):
        few, many = narrow(pool), wider(pool)
        assert all(kept_of(few, row) <= kept_of(many, row) for row in range(case.context.batch))


def test_a_margin_without_end_keeps_the_most_that_it_may() -> None:
    paths = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1).astype(np.int32)
    case = made_case(paths, [[1, 2], [3]], [set(), set()])
    assert [len(beam) for beam in kept(case, Relaxed(1e6, 0, 2.0))] == [2 * K_KEEP] * 2
    assert [len(beam) for beam in kept(case, Relaxed(1e6, 0, 99.0))] == [K_PLUS] * 2


@given(cases(), st.floats(-50, 50))
@settings(max_examples=40, deadline=None)
def test_the_surest_share_is_that_of_the_best_reward(case: Case, constant: float) -> None:
    pool = pool_of(case, plan(Relaxed()))
    share = surest(pool)
    for row, real in enumerate(pool.legal):
        reward = pool.reward[row, real]
        assert share[row] == pytest.approx(np.exp(reward.max() - np.logaddexp.reduce(reward)), rel=1e-4)
    assert np.allclose(share, surest(pool.at((pool.reward + constant).astype(np.float32))), atol=1e-3)


@pytest.mark.parametrize("wrong", [(-0.1, 0.0, 2.0), (0.0, -1.0, 2.0), (0.0, 0.0, 0.9)])
def test_a_margin_below_zero_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Relaxed(*wrong)


@given(cases(depths=(3, 3)))
@settings(max_examples=30, deadline=None)
def test_leaves_have_no_margin(case: Case) -> None:
    pool = pool_of(case, plan(Relaxed(9, 9)), 2)
    for row in range(case.context.batch):
        assert kept_of(Relaxed(9, 9)(pool), row) == kept_of(pool.pruned(), row)
