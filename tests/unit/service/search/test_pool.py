"""The children of one level on the host: where their parents are, what is kept of them and in which order."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tries import RULES, Case, cases, kept_of, pool_of

from service.search.plan import Plan
from service.search.pool import ranks

PLANS = st.builds(
    lambda k_keep, more, rule: Plan.uniform(3, k_keep, k_keep + more, rule=rule),
    st.integers(1, 5),
    st.integers(0, 20),
    st.sampled_from(RULES),
)
DEEP = cases(depths=(3, 3))
LEVELS = st.integers(0, 2)


@given(DEEP, PLANS, LEVELS)
@settings(max_examples=60, deadline=None)
def test_parents_are_places_in_the_beam_before(case: Case, plan: Plan, level: int) -> None:
    pool = pool_of(case, plan, level)
    for row, real in enumerate(pool.legal):
        above = case.engine.trie.parent[pool.node[row, real]]
        beam = pool.steps[-1].kept.node.numpy()[row] if level else np.zeros(1, np.int32)
        assert np.array_equal(beam[pool.parent[row, real]], above)
        assert np.all((pool.parent[row] >= 0) & (pool.parent[row] < len(beam)))


@given(DEEP, PLANS, LEVELS)
@settings(max_examples=60, deadline=None)
def test_kept_by_score_it_is_what_the_engine_keeps(case: Case, plan: Plan, level: int) -> None:
    pool = pool_of(case, plan, level)
    wanted, known = pool.pruned(), replace(pool.at(pool.reward), context=None)  # type: ignore[arg-type]  # proves that nobody asks
    for kept in (pool.keep(pool.score), known.pruned()):
        for row in range(case.context.batch):
            real = np.isfinite(wanted.kept.log_prob.numpy()[row])
            count = np.isfinite(kept.kept.log_prob.numpy()[row]).sum()
            for one, other in ((kept.kept.node, wanted.kept.node), (kept.reward, wanted.reward)):
                assert np.array_equal(one.numpy()[row, :count], other.numpy()[row, real])


@given(DEEP, LEVELS, st.data())
@settings(max_examples=80, deadline=None)
def test_kept_by_another_score_it_is_the_best_by_that(case: Case, level: int, data: st.DataObject) -> None:
    pool = pool_of(case, Plan.uniform(3, 4, 12), level)
    seed, k_keep = data.draw(st.integers(0, 999)), data.draw(st.none() | st.integers(1, 12))
    score = np.random.default_rng(seed).normal(size=pool.node.shape).astype(np.float32)
    score[score < -1] = -np.inf
    other = score + 1
    kept = pool.keep(score, k_keep, reward=other)
    order, widest = kept.order.numpy(), k_keep or pool.k_keep
    allowed = pool.legal & np.isfinite(score)
    assert order.shape[1] == kept.kept.width == max(1, min(widest, allowed.sum(1).max()))
    assert order.dtype == np.int64  # as a correction's graph takes it
    for row, real in enumerate(allowed):
        ranked = pool.node[row, real][np.argsort(-score[row, real], kind="stable")].tolist()
        count = min(widest, len(ranked))
        assert kept.kept.node.numpy()[row, :count].tolist() == ranked[:count]
        assert len(kept_of(kept, row)) == count
        assert np.array_equal(pool.node[row, order[row]], kept.kept.node.numpy()[row])
        assert np.array_equal(kept.reward.numpy()[row], other[row, order[row]])
    assert np.array_equal(kept.all_rewards.numpy(), other)


@given(st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=3))
def test_ranks_count_what_is_larger_or_equal_and_before(drawn: list[list[int]]) -> None:
    values = np.array(drawn, np.float32)
    for row, found in zip(drawn, ranks(values), strict=True):
        before = [sum(other >= one for other in row[:place]) for place, one in enumerate(row)]
        after = [sum(other > one for other in row[place:]) for place, one in enumerate(row)]
        assert found.tolist() == [sum(pair) for pair in zip(before, after, strict=True)]
