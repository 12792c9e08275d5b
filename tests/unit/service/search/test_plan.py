"""Widths: what a plan means, and how it grows when more items are asked for."""

from hypothesis import given
from hypothesis import strategies as st

from service.search.plan import Level, Plan, Rule

widths = st.tuples(st.integers(1, 1000), st.integers(1, 8)).map(lambda pair: Level(pair[0], pair[0] * pair[1]))
rules = st.builds(Rule, st.floats(0, 1), st.floats(0, 1))
plans = st.builds(Plan, st.lists(widths, min_size=1, max_size=4).map(tuple), st.booleans(), rules)


def test_a_uniform_plan_is_the_same_at_every_depth() -> None:
    assert Plan.uniform(3, 50, 200, rule=Rule(0.1)) == Plan((Level(50, 200),) * 3, True, Rule(0.1, 0.0))
    assert Plan.uniform(2, 10, 10, use_prm=False).use_prm is False


@given(plan=plans, k=st.integers(1, 2000))
def test_a_plan_grows_to_hold_k_and_keeps_its_proportions(plan: Plan, k: int) -> None:
    wide = plan.at_least(k)
    assert (wide.use_prm, wide.rule, len(wide.levels)) == (plan.use_prm, plan.rule, len(plan.levels))
    for before, after in zip(plan.levels, wide.levels, strict=True):
        assert after.k_keep == max(before.k_keep, k)
        assert after.k_plus >= after.k_keep
        assert after.k_plus * before.k_keep == before.k_plus * after.k_keep


def test_items_and_prefixes_are_weighed_apart() -> None:
    plan = Plan.uniform(3, 10, 40, rule=Rule(leaf=0.1, prefix=0.7))
    assert [plan.weight(level) for level in range(3)] == [0.7, 0.7, 0.1]
    assert Plan.uniform(1, 10, 40, rule=Rule(leaf=0.1, prefix=0.7)).weight(0) == 0.1


@given(plan=plans, k=st.integers(1, 2000))
def test_growing_twice_is_growing_once(plan: Plan, k: int) -> None:
    assert plan.at_least(k).at_least(k) == plan.at_least(k)
    assert plan.at_least(1) == plan
