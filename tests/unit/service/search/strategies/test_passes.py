"""One more pass: what it opens, what it asks of the engine, and what the joined steps say of both."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import assert_good_lists
from numpy.typing import NDArray
from random_tries import RULES, Case, cases

from service.engine.fake import FakeEngine
from service.engine.protocol import Beams, Context
from service.search import choosing
from service.search.guided import Found, search
from service.search.plan import Level, Plan
from service.search.spent import spent
from service.search.strategies.columns import Columns
from service.search.strategies.passes import RESTS, Passes, judged

F32 = NDArray[np.float32]


@dataclass
class Asked(FakeEngine):
    """A fake engine that counts legal beams and children by level; of one request at a time."""

    engine: FakeEngine
    beams_in: Counter[int] = field(default_factory=Counter)
    children: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(self.engine.trie)

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        found = super().expand(context, beams, level, k_plus)
        self.beams_in[level] += int(np.isfinite(beams.log_prob.numpy()).sum())
        self.children[level] += int(np.isfinite(found.log_prob.numpy()).sum())
        return found


def never() -> float:
    return 0.0


@st.composite
def plans(draw: st.DrawFn, depth: int) -> Plan:
    levels = [(draw(st.integers(1, 4)), draw(st.integers(0, 10))) for _ in range(depth)]
    return Plan(tuple(Level(keep, keep + more) for keep, more in levels), rule=draw(st.sampled_from(RULES)))


def promises(levels: Sequence[Columns], plan: Plan) -> list[F32]:
    return [level.rejected(level.score(plan.weight(number))) for number, level in enumerate(levels[:-1])]


def levels_of(found: Found) -> list[Columns]:
    return [Columns.of(step) for step in found.steps]


@given(cases(), st.data(), st.integers(1, 4), st.none() | st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_a_pass_opens_the_best_that_was_rejected_and_keeps_everything_else(
    case: Case, data: st.DataObject, k: int, width: int | None
) -> None:
    plan = data.draw(plans(case.depth)).at_least(k)
    passes = Passes(case.engine, case.context, plan, never)
    before = levels_of(search(case.engine, case.context, plan, k))
    promise = promises(before, plan)
    where = np.array([data.draw(st.integers(RESTS, case.depth - 2)) for _ in case.legal], np.int32)
    after, leaf = passes.again(before, where, promise, width)
    assert_good_lists(case, passes.finish(after, k, degraded=False), k)
    for row, number in enumerate(where.tolist()):
        for level, (one, two) in enumerate(zip(before, after, strict=True)):
            was, now = kept_of(one, row), kept_of(two, row)
            assert was <= now
            if number == RESTS or level < number:
                assert was == now
        if number != RESTS:
            free = np.flatnonzero(np.isfinite(promise[number][row]))
            chosen = free[np.argsort(-promise[number][row, free], kind="stable")]
            wanted = before[number].node[row, chosen[: width or plan.levels[number].k_keep]].tolist()
            assert kept_of(after[number], row) - kept_of(before[number], row) == set(wanted)
            assert not wanted or case.engine.trie.path(leaf[row])[number] in wanted


def kept_of(level: Columns, row: int) -> set[int]:
    return set(level.node[row, level.kept[row]].tolist())


@given(cases(most=1), st.data(), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_what_is_told_as_spent_is_what_the_engine_was_asked(
    case: Case, data: st.DataObject, k: int, rounds: int
) -> None:
    plan, engine = data.draw(plans(case.depth)).at_least(k), Asked(case.engine)
    passes = Passes(engine, case.context, plan, never)
    columns = levels_of(search(engine, case.context, plan, k))
    for _ in range(rounds):
        where = np.array([data.draw(st.integers(0, case.depth - 2))], np.int32)
        columns, _ = passes.again(columns, where, promises(columns, plan), None)
    levels = [spent(step)[0] for step in passes.finish(columns, k, degraded=False).steps]
    assert [level.expanded for level in levels] == [engine.children[number] for number in range(case.depth)]
    assert [1, *(level.kept for level in levels[:-1])] == [engine.beams_in[number] for number in range(case.depth)]


@given(cases(), st.data(), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_the_joined_best_are_corrected_once_as_one_list(case: Case, data: st.DataObject, k: int) -> None:
    engine = FakeEngine(case.engine.trie, pool=6)
    context = replace(case.context, history=np.stack((case.context.lengths,) * 2, 1))
    plan = replace(data.draw(plans(case.depth)), rescore=6).at_least(k)
    passes = Passes(engine, context, plan, never)
    levels = levels_of(search(engine, context, plan, k))
    levels, _ = passes.again(levels, np.zeros(context.batch, np.int32), promises(levels, plan), None)
    found = passes.finish(levels, k, degraded=False)
    leaves = choosing.beams(levels[-1].node, levels[-1].log_prob)
    best = engine.prune(context, leaves, case.depth - 1, max(6, plan.levels[-1].k_keep), plan.rule.leaf)
    assert np.array_equal(found.node, engine.correct(context, best, plan.levels[-1].k_keep).kept.node.numpy()[:, :k])
    node, score = passes.best(levels, k)
    real = np.isfinite(score)
    assert np.array_equal(node[real], best.kept.node.numpy()[:, :k][real[:, : best.kept.width]])
    assert found.reward is not None
    assert np.allclose(found.score, found.reward, atol=1e-6)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_passes_compare_only_where_the_prm_judged_every_level(case: Case) -> None:
    plan = Plan((Level(3, 6),) * case.depth)
    for other in (replace(plan, use_prm=False), replace(plan, depths=(0,)), replace(plan, depths=(case.depth - 1,))):
        assert not judged(search(case.engine, case.context, other, 2))
    assert judged(search(case.engine, case.context, plan, 2))
