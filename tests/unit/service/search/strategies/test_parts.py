"""Results of parts of a batch put back together: every request finds its own in its row."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import assert_good_lists, same
from random_tries import Case, cases

from service.search.guided import Found, search
from service.search.plan import Level, Plan
from service.search.strategies.parts import together

PLANS = (
    Plan((Level(3, 9),) * 3),
    Plan((Level(5, 30), Level(4, 6), Level(4, 20))),
    Plan((Level(6, 6),) * 3, use_prm=False),
)


def parted(case: Case, chosen: list[int], k: int) -> list[tuple[list[int], Found]]:
    """The requests of each plan searched by themselves."""
    parts = []
    for number in sorted(set(chosen)):
        rows = [row for row, plan in enumerate(chosen) if plan == number]
        plan = replace(PLANS[number], levels=PLANS[number].levels[: case.depth])
        parts.append((rows, search(case.engine, case.engine.take(case.context, rows), plan, k)))
    return parts


@given(cases(), st.lists(st.integers(0, 2), min_size=4, max_size=4), st.integers(1, 7), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_row_holds_what_its_part_held(case: Case, chosen: list[int], k: int, backwards: bool) -> None:
    chosen = chosen[: case.context.batch]
    parts = parted(case, chosen, k)
    whole = together(parts[:: -1 if backwards else 1], case.context.batch)
    assert_good_lists(case, whole, k)
    mixed = len({PLANS[number].use_prm for number in chosen}) > 1
    assert (whole.reward is None) == any(not PLANS[number].use_prm for number in chosen)
    for rows, found in parts:
        for place, row in enumerate(rows):
            if not mixed:
                same(whole, row, found, place)
            real = np.isfinite(found.log_prob[place])
            assert np.array_equal(whole.node[row, : real.sum()], found.node[place, real])
            assert np.array_equal(whole.score[row, : real.sum()], found.score[place, real])
    for number, step in enumerate(whole.steps):
        assert step.expand_s == sum(found.steps[number].expand_s for _, found in parts)


@given(cases(most=1))
@settings(max_examples=10, deadline=None)
def test_a_single_part_stays_as_it_is_and_one_late_part_degrades_all(case: Case) -> None:
    ((rows, found),) = parted(case, [0], 3)
    assert together([(rows, found)], 1) is found
    both = together([([1], found), ([0], replace(found, degraded=True))], 2)
    assert both.degraded
    same(both, 1, found, 0)
