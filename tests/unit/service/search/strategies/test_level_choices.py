"""What all strategies that choose level by level have in common, against guided search and the exact ranking."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import EVERYTHING, RULES, Case, cases, online

from service.search.guided import Found, search
from service.search.plan import Keeping, Level, Plan
from service.search.spent import spent
from service.search.strategies.consistent import Consistent
from service.search.strategies.interest import Interested
from service.search.strategies.optimistic import Optimistic
from service.search.strategies.relaxed import Relaxed
from service.search.strategies.smc import Resampled

NEUTRAL = (Relaxed(0, 0), Consistent(1), Optimistic(0), Interested(0))
OTHER = (
    *(Resampled(), Resampled(0.3, least=1), Resampled(5.0)),
    *(Relaxed(), Relaxed(0.5, 3.0, 1.5)),
    *(Consistent(), Consistent(0), Optimistic(), Optimistic(-3), Interested(), Interested(2)),
)
ALL = NEUTRAL + OTHER
WIDTHS = st.tuples(st.integers(1, 12), st.integers(0, 30)).map(lambda pair: Level(pair[0], sum(pair)))


@st.composite
def plans(draw: st.DrawFn, depth: int, keeping: Keeping) -> Plan:
    levels = tuple(draw(WIDTHS) for _ in range(depth))
    depths = draw(st.sampled_from((None, None, (depth - 1,), tuple(range(1, depth)))))
    return Plan(levels, rule=draw(st.sampled_from(RULES)), depths=depths, keeping=keeping)


def same(one: Found, row: int, other: Found, place: int) -> None:
    """The same lists and the same work; only filler, of which a batch may have more, is left out."""
    real, also = np.isfinite(one.log_prob[row]), np.isfinite(other.log_prob[place])
    assert np.array_equal(one.node[row, real], other.node[place, also])
    assert np.allclose(one.score[row, real], other.score[place, also], atol=1e-6)
    for level, again in zip(one.steps, other.steps, strict=True):
        here, there = spent(level)[row], spent(again)[place]
        assert here.entropy == pytest.approx(there.entropy, abs=1e-4)  # its last digit depends on the width of a batch
        assert here == replace(there, entropy=here.entropy)


@pytest.mark.parametrize("keeping", NEUTRAL, ids=str)
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_at_its_neutral_value_it_is_guided_search(keeping: Keeping, data: st.DataObject, case: Case, k: int) -> None:
    plan = data.draw(plans(case.depth, keeping))
    one, two = (search(case.engine, case.context, x, k) for x in (plan, replace(plan, keeping=None)))
    for row in range(case.context.batch):
        same(one, row, two, row)


@pytest.mark.parametrize("keeping", ALL, ids=str)
@given(data=st.data(), case=cases())
@settings(max_examples=40, deadline=None)
def test_wide_enough_it_ranks_exactly(keeping: Keeping, data: st.DataObject, case: Case) -> None:
    rule = data.draw(st.sampled_from(RULES))
    plan = Plan.uniform(case.depth, EVERYTHING, EVERYTHING, rule=rule)
    found = search(case.engine, case.context, replace(plan, keeping=keeping), EVERYTHING)
    interest = keeping.weight if isinstance(keeping, Interested) else 0.0
    for row, legal in enumerate(case.legal):
        listed = case.rows(found, row)
        assert listed == case.exact(row, rule, interest)
        assert set(listed) == legal


@pytest.mark.parametrize("keeping", OTHER, ids=str)
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_lists_are_legal_distinct_in_order_and_long_enough(
    keeping: Keeping, data: st.DataObject, case: Case, k: int
) -> None:
    found = search(case.engine, case.context, data.draw(plans(case.depth, keeping)), k)
    for row, legal in enumerate(case.legal):
        listed = case.rows(found, row)
        assert set(listed) <= legal
        assert len(listed) == len(set(listed)) == min(k, len(legal))
        assert np.all(np.diff(found.score[row, : len(listed)]) <= 0)
        assert not np.isfinite(found.score[row, len(listed) :]).any()


@pytest.mark.parametrize("keeping", OTHER, ids=str)
@given(data=st.data(), case=cases(), k=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_every_request_of_a_batch_gets_what_it_would_get_alone_online_too(
    keeping: Keeping, data: st.DataObject, case: Case, k: int
) -> None:
    plan = data.draw(plans(case.depth, keeping))
    together = search(case.engine, case.context, plan, k)
    served = {row: (place, found) for row, place, found in online(case, plan, k)}
    for row in range(case.context.batch):
        single = search(case.engine, case.alone(row), plan, k)
        same(together, row, single, 0)
        place, found = served[row]
        same(found, place, single, 0)


@pytest.mark.parametrize("keeping", ALL, ids=str)
def test_equal_strategies_are_one_so_that_their_requests_run_together(keeping: Keeping) -> None:
    plan = Plan.uniform(3, 8, 24)
    assert len({replace(plan, keeping=keeping), replace(plan, keeping=replace(keeping))}) == 1  # type: ignore[type-var]
