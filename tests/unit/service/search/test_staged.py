"""A batch of many tiers finds, for every request, what the search finds for it alone."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import Context
from service.search.guided import Deadline, Found, search
from service.search.plan import Plan, Rule
from service.search.spent import spent
from service.search.staged import begin, descend, first_level
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=150, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)
RULE = Rule(leaf=0.3, prefix=1.0)
PLANS = (
    Plan.uniform(3, 8, 24, rule=RULE),
    Plan.uniform(3, 3, 5),
    Plan.uniform(3, 6, 6, use_prm=False),
    Plan.uniform(3, 200, 800, rule=RULE),
)


def never() -> float:
    return 0.0


def batch(histories: Sequence[list[int]], excluded: Sequence[list[int]] = ()) -> Context:
    lengths = np.array([len(rows) for rows in histories], np.int32)
    items = np.array([[*rows, *[0] * (int(lengths.max()) - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, CATALOGUE.sids[items - 1], 0).astype(np.int32)
    more = excluded or [[]] * len(histories)
    illegal = [banned(TRIE, [*rows, *others]) for rows, others in zip(histories, more, strict=True)]
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, illegal)


def together(
    inputs: Context, plans: Sequence[Plan], k: int, deadlines: Sequence[Deadline] | None = None
) -> dict[int, tuple[Found, int]]:
    """row → its search and its place in it."""
    rows = range(len(plans))
    first = first_level(ENGINE, ENGINE.take(inputs, rows), TRIE.branching(0), True, never)
    found: dict[int, tuple[Found, int]] = {}
    for plan in set(plans):
        members = [row for row in rows if plans[row] == plan]
        group = begin(ENGINE, inputs, first, members, plan.at_least(k), k)
        for done, result in descend(ENGINE, inputs, group, deadlines or [Deadline()] * len(plans), never):
            found |= {row: (result, place) for place, row in enumerate(done)}
    return found


def alone(inputs: Context, row: int, plan: Plan, k: int) -> Found:
    return search(ENGINE, ENGINE.take(inputs, [row]), plan, k)


def assert_same(found: Found, place: int, single: Found) -> None:
    assert np.array_equal(found.node[place], single.node[0])
    assert np.allclose(found.score[place], single.score[0], atol=1e-6)
    assert [spent(step)[place] for step in found.steps] == [spent(step)[0] for step in single.steps]


HISTORIES = st.lists(st.lists(st.integers(1, 150), min_size=1, max_size=6), min_size=1, max_size=7)


@given(HISTORIES, st.data(), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_every_request_of_a_mixed_batch_gets_the_list_it_would_get_alone(
    histories: list[list[int]], data: st.DataObject, k: int
) -> None:
    plans = [data.draw(st.sampled_from(PLANS)) for _ in histories]
    inputs = batch(histories)
    for row, (found, place) in together(inputs, plans, k).items():
        assert_same(found, place, alone(inputs, row, plans[row], k))


def test_few_legal_items_give_short_lists_in_a_batch_too() -> None:
    keep = set(range(1, 151)) - {4, 77}
    inputs = batch([[1], [2, 3]], [sorted(keep), []])
    for row, (found, place) in together(inputs, [PLANS[0], PLANS[0]], 5).items():
        assert_same(found, place, alone(inputs, row, PLANS[0], 5))
        assert np.isfinite(found.log_prob[place]).sum() == (2 if row == 0 else 5)


def after(calls: int) -> Callable[[], float]:
    """A clock that jumps past every deadline at its call number `calls`."""
    seen = iter(range(10**6))
    return lambda: float(next(seen) >= calls)


@pytest.mark.parametrize("calls", [0, 1])
def test_only_late_rows_hurry(calls: int) -> None:
    histories = [[1, 2], [3], [4, 5, 6]]
    inputs = batch(histories)
    late = Deadline(0.5, after(calls))
    found = together(inputs, [PLANS[0]] * 3, 4, [Deadline(), late, Deadline()])
    assert [found[row][0].degraded for row in range(3)] == [False, True, False]
    for row in (0, 2):
        assert_same(*found[row], alone(inputs, row, PLANS[0], 4))
    hurried, place = found[1]
    assert [step.pruned is not None for step in hurried.steps] == [step <= calls for step in range(3)]
    assert hurried.reward is None
    assert np.isfinite(hurried.log_prob[place]).all()


def test_a_hurried_row_finds_what_a_late_search_alone_finds() -> None:
    inputs = batch([[1, 2], [3]])
    late = Deadline(0.5, lambda: 1.0)
    found, place = together(inputs, [PLANS[0]] * 2, 4, [late, Deadline()])[0]
    single = search(ENGINE, ENGINE.take(inputs, [0]), PLANS[0], 4, late)
    assert single.degraded
    assert_same(found, place, single)
