"""Children on which generator and PRM disagree give way, and only above the leaves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import RULES, Case, cases, kept_of, pool_of

from service.search.guided import search
from service.search.plan import Level, Plan, Rule
from service.search.pool import Pool
from service.search.strategies.consistent import Consistent

K_KEEP = 3


def plan(keeping: Consistent) -> Plan:
    return replace(Plan.uniform(3, K_KEEP, 12, rule=Rule(0.0, 1.0)), keeping=keeping)


def disagreeing(pool: Pool, row: int, share: float) -> set[int]:
    """Counted one by one."""
    real = pool.legal[row]
    node, log_prob, reward = pool.node[row, real], pool.log_prob[row, real], pool.reward[row, real]
    apart = [abs(int((log_prob > log_prob[at]).sum()) - int((reward > reward[at]).sum())) for at in range(len(node))]
    return {int(one) for one, far in zip(node, apart, strict=True) if far > share * len(node)}


@given(cases(depths=(3, 3)), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_others_are_kept_only_where_those_that_agree_are_too_few(case: Case, share: float) -> None:
    keeping = Consistent(share)
    pool = pool_of(case, plan(keeping), 1)
    beam = keeping(pool)
    for row, real in enumerate(pool.legal):
        apart = disagreeing(pool, row, share)
        assert {int(node) for node in pool.node[row, real & keeping.disagree(pool)[row]]} == apart
        ranked = pool.node[row, real][np.argsort(-pool.score[row, real], kind="stable")].tolist()
        wanted = [node for node in ranked if node not in apart] + [node for node in ranked if node in apart]
        assert kept_of(beam, row) == set(wanted[:K_KEEP])


@given(cases(), st.sampled_from(RULES))
@settings(max_examples=40, deadline=None)
def test_leaves_are_ranked_by_score_alone(case: Case, rule: Rule) -> None:
    levels = (*(Level(99, 99),) * (case.depth - 1), Level(4, 99))
    one, two = (Plan(levels, rule=rule, keeping=keeping) for keeping in (Consistent(0), None))
    for row in range(case.context.batch):
        lists = [case.rows(search(case.engine, case.context, x, 4), row) for x in (one, two)]
        assert lists[0] == lists[1]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Consistent(share)
