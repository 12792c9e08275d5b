"""The expand/prune loop over the deterministic engine: order, filler, steps and the clock."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import Context
from service.explain import codes_of
from service.search.guided import Deadline, Found, search
from service.search.plan import Level, Plan, Rule
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=150, depth=3, codes=8, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)
GUIDED = Plan.uniform(3, 8, 24)


def context(*histories: list[int], excluded: tuple[int, ...] = ()) -> Context:
    lengths = np.array([len(rows) for rows in histories], np.int32)
    items = np.array([[*rows, *[0] * (int(lengths.max()) - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, CATALOGUE.sids[items - 1], 0).astype(np.int32)
    illegal = [banned(TRIE, [*rows, *excluded]) for rows in histories]
    return ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, illegal)


def rows(found: Found, row: int = 0) -> list[int]:
    real = np.isfinite(found.log_prob[row])
    found_rows: list[int] = TRIE.rows(found.node[row, real]).tolist()
    return found_rows


def ticking(*moments: float) -> Callable[[], float]:
    """A clock that tells these moments, one a call, then stands still."""
    times: Iterator[float] = iter(moments)
    return lambda: next(times, moments[-1])


@pytest.mark.parametrize(
    "plan", [GUIDED, Plan.uniform(3, 8, 8, use_prm=False), Plan.uniform(3, 5, 40, rule=Rule(0.4, 1.5))]
)
def test_lists_are_valid_distinct_unseen_and_in_order(plan: Plan) -> None:
    histories = [[1, 2, 3], [9], [4, 5, 6, 7]]
    found = search(ENGINE, context(*histories, excluded=(11,)), plan, 7)
    assert found.node.shape == found.score.shape == (3, 7)
    for row, history in enumerate(histories):
        listed = rows(found, row)
        assert len(listed) == len(set(listed)) == 7
        assert not {*history, 11} & set(listed)
        assert np.all(np.diff(found.score[row]) <= 0)
        assert np.array_equal(CATALOGUE.sids[np.array(listed) - 1], codes_of(TRIE, found.node[row], 3))


def test_the_score_is_reward_plus_weighted_log_probability() -> None:
    found = search(ENGINE, context([1, 2]), Plan.uniform(3, 8, 24, rule=Rule(leaf=0.5, prefix=2.0)), 8)
    assert found.reward is not None
    assert np.allclose(found.score, found.reward + 0.5 * found.log_prob)
    plain = search(ENGINE, context([1, 2]), Plan.uniform(3, 8, 8, use_prm=False), 8)
    assert plain.reward is None
    assert np.array_equal(plain.score, plain.log_prob)
    assert all(step.pruned is None for step in plain.steps)


def test_prefixes_are_kept_by_their_own_weight() -> None:
    given = context([1, 2])
    found = search(ENGINE, given, Plan.uniform(3, 8, 24, rule=Rule(leaf=0.5, prefix=2.0)), 8)
    for step, weight in zip(found.steps, (2.0, 2.0, 0.5), strict=True):
        kept = ENGINE.prune(given, step.children, step.level, 8, weight).kept
        assert np.array_equal(step.kept.node.numpy(), kept.node.numpy())


def test_every_level_is_told_as_it_happened() -> None:
    plan = Plan((Level(4, 9), Level(6, 12), Level(8, 30)))
    found = search(ENGINE, context([1, 2]), plan, 3, Deadline(clock=ticking(*np.arange(20.0).tolist())))
    assert [step.level for step in found.steps] == [0, 1, 2]
    assert [step.children.width for step in found.steps] == [8, 12, 30]  # the root has 8 children
    assert [step.kept.width for step in found.steps] == [4, 6, 8]
    assert all((step.expand_s, step.prune_s) == (1, 1) for step in found.steps)
    assert not found.degraded
    assert rows(found) == rows(search(ENGINE, context([1, 2]), plan, 4))[:3]


def test_a_plan_too_narrow_for_k_is_widened() -> None:
    found = search(ENGINE, context([1]), Plan.uniform(3, 2, 6), 20)
    assert len(rows(found)) == 20
    assert rows(found) == rows(search(ENGINE, context([1]), Plan.uniform(3, 20, 60), 20))


@pytest.mark.parametrize(("late_from", "wanted"), [(1, [24, 7, 7]), (2, [24, 24, 7]), (3, [24, 24, 24])])
def test_past_the_deadline_the_rest_runs_at_the_floor(late_from: int, wanted: list[int]) -> None:
    # The clock is read once between levels, three times within one.
    moments = [0.0] * (3 + 4 * (late_from - 1)) + [9.0]
    wide = Plan((Level(24, 24), Level(8, 24), Level(8, 24)))
    found = search(ENGINE, context([1, 2], [3]), wide, 7, Deadline(5.0, ticking(*moments)))
    asked = [step.children.width for step in found.steps]
    assert asked == [min(8, wanted[0]), *wanted[1:]]
    assert [step.pruned is None for step in found.steps] == [n >= late_from for n in range(3)]
    assert found.degraded == (late_from < 3)
    assert len(set(rows(found))) == 7
    assert not {1, 2} & set(rows(found))


def test_the_first_level_always_runs_in_full() -> None:
    found = search(ENGINE, context([1]), GUIDED, 5, Deadline(0.0, lambda: 1.0))
    assert found.steps[0].pruned is not None
    assert found.degraded
    assert len(rows(found)) == 5
    assert found.reward is None
    assert np.array_equal(found.score, found.log_prob)


@pytest.mark.parametrize("left", [0, 1, 4])
@pytest.mark.parametrize("plan", [GUIDED, Plan.uniform(3, 8, 8, use_prm=False)])
def test_fewer_legal_items_give_fewer(left: int, plan: Plan) -> None:
    allowed = {3, 50, 77, 149} if left == 4 else set(range(20, 20 + left))
    excluded = tuple(row for row in range(1, 151) if row not in allowed)
    found = search(ENGINE, context([1], excluded=excluded), plan, 8)
    assert set(rows(found)) == allowed
    assert np.all(np.isneginf(found.score[:, left:]))


def test_no_deadline_never_passes() -> None:
    assert not Deadline().passed()
    assert Deadline(1.0, lambda: 1.0).passed()
    assert not Deadline(1.0, lambda: 0.9).passed()
