"""The predicted interest beside the reward: at every level, and in the order of the list."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import Case, cases, kept_of, pool_of

from service.search.guided import search
from service.search.plan import Plan, Rule
from service.search.strategies.interest import Interested

RULE, K_KEEP = Rule(0.4, 1.0), 3
WEIGHTS = st.floats(0, 4)


def plan(weight: float) -> Plan:
    return replace(Plan.uniform(3, K_KEEP, 12, rule=RULE), keeping=Interested(weight))


@given(cases(depths=(3, 3)), WEIGHTS, st.integers(0, 2))
@settings(max_examples=80, deadline=None)
def test_it_prunes_by_reward_and_interest(case: Case, weight: float, level: int) -> None:
    pool = pool_of(case, plan(weight), level)
    beam = Interested(weight)(pool)
    voted = case.engine.vote(case.context, pool.children, level).interest
    score = pool.reward + np.float32(weight) * voted + np.float32(pool.weight) * pool.log_prob
    for row, real in enumerate(pool.legal):
        order = np.argsort(-score[row, real], kind="stable")[:K_KEEP]
        assert kept_of(beam, row) == set(pool.node[row, real][order].tolist())


@given(cases(depths=(3, 3)), WEIGHTS)
@settings(max_examples=40, deadline=None)
def test_what_is_told_as_the_reward_holds_the_interest(case: Case, weight: float) -> None:
    found = search(case.engine, case.context, plan(weight), K_KEEP)
    last = found.steps[-1]
    assert found.reward is not None
    reward = case.engine.prune(case.context, last.kept, 2, 1, 0.0).all_rewards.numpy()
    interest = case.engine.vote(case.context, last.kept, 2).interest
    real = np.isfinite(found.log_prob)
    assert np.allclose(found.reward[real], (reward + np.float32(weight) * interest)[:, :K_KEEP][real], atol=1e-5)
    assert np.allclose(found.score[real], (found.reward + np.float32(RULE.leaf) * found.log_prob)[real], atol=1e-5)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_of_great_weight_it_decides_alone(case: Case) -> None:
    pool = pool_of(case, Plan.uniform(case.depth, K_KEEP, 12))
    beam, interest = Interested(1e6)(pool), pool.voted.interest
    for row, real in enumerate(pool.legal):
        kept = [value for node, value in zip(pool.node[row], interest[row], strict=True) if node in kept_of(beam, row)]
        assert sorted(kept) == sorted(interest[row, real].tolist())[-len(kept) :]
