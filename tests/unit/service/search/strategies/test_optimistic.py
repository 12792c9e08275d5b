"""Optimistic expansion: the votes' deviation decides what is opened, never how the leaves rank."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import Case, cases, kept_of, pool_of

from service.search.guided import search
from service.search.plan import Level, Plan, Rule
from service.search.strategies.optimistic import Optimistic
from service.search.votes import deviation

K_KEEP = 3


@given(cases(depths=(3, 3)), st.floats(-5, 5))
@settings(max_examples=80, deadline=None)
def test_it_opens_the_highest_quantiles(case: Case, beta: float) -> None:
    keeping = Optimistic(beta)
    pool = pool_of(case, replace(Plan.uniform(3, K_KEEP, 12, rule=Rule(0.0, 1.0)), keeping=keeping), 1)
    beam, apart = keeping(pool), deviation(pool.voted.votes, pool.legal)
    for row, real in enumerate(pool.legal):
        quantile = (pool.score + np.float32(beta) * apart)[row, real]
        order = np.argsort(-quantile, kind="stable")[:K_KEEP]
        assert kept_of(beam, row) == set(pool.node[row, real][order].tolist())


@given(cases(depths=(3, 3)))
@settings(max_examples=40, deadline=None)
def test_a_boundless_optimist_opens_what_the_votes_are_least_sure_of(case: Case) -> None:
    pool = pool_of(case, Plan.uniform(3, K_KEEP, 12))
    beam, apart = Optimistic(1e9)(pool), deviation(pool.voted.votes, pool.legal)
    for row, real in enumerate(pool.legal):
        opened = [
            deviant for node, deviant in zip(pool.node[row], apart[row], strict=True) if node in kept_of(beam, row)
        ]
        assert sorted(opened) == sorted(apart[row, real].tolist())[-len(opened) :]


@given(cases(), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_leaves_rank_by_the_mean(case: Case, beta: float) -> None:
    levels = (*(Level(99, 99),) * (case.depth - 1), Level(4, 99))
    one, two = (Plan(levels, keeping=keeping) for keeping in (Optimistic(beta), None))
    for row in range(case.context.batch):
        lists = [case.rows(search(case.engine, case.context, x, 4), row) for x in (one, two)]
        assert lists[0] == lists[1]
