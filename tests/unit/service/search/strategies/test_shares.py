"""Log shares against the probabilities of a tree that is known."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from known_tree import KnowingEngine
from random_tries import EVERYTHING, Case, cases

from service.search.guided import Found, search
from service.search.plan import Level, Plan
from service.search.strategies.columns import Columns
from service.search.strategies.shares import along, log_shares


def knowing(case: Case) -> KnowingEngine:
    return KnowingEngine(case.engine.trie)


def levels_of(found: Found) -> list[Columns]:
    return [Columns.of(step) for step in found.steps]


def all_shown(case: Case) -> Case:
    """Nothing is hidden from any request."""
    illegal = [type(each)(np.zeros(0, np.int32)) for each in case.context.banned]
    return Case(case.engine, case.engine.context(case.context.memory, case.context.lengths, illegal), case.legal)


@given(case=cases(), keep=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_with_every_child_judged_they_are_the_probabilities(case: Case, keep: int) -> None:
    engine, context = knowing(case), all_shown(case).context
    found = search(engine, context, Plan((Level(keep, EVERYTHING),) * case.depth), 1)
    for row in range(context.batch):
        known = engine.shares(context, row)
        for step, share in zip(found.steps, log_shares(levels_of(found)), strict=True):
            real = np.isfinite(step.children.log_prob.numpy()[row])
            node = step.children.node.numpy()[row, real]
            assert np.allclose(np.exp(share[row, real]), known[node], rtol=1e-3)
            assert np.isneginf(share[row, ~real]).all()


@given(case=cases(), keep=st.integers(1, 5), plus=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_children_divide_what_their_kept_parents_had(case: Case, keep: int, plus: int) -> None:
    found = search(case.engine, case.context, Plan((Level(keep, keep + plus),) * case.depth), 1)
    shares, above = log_shares(levels_of(found)), np.ones(case.context.batch)
    some = np.array([bool(legal) for legal in case.legal])
    for step, share in zip(found.steps, shares, strict=True):
        assert np.allclose(np.exp(share).sum(1)[some], above[some], rtol=1e-4)
        assert step.pruned is not None
        kept = np.take_along_axis(share, step.pruned.order.numpy(), 1)
        above = np.where(np.isfinite(step.kept.log_prob.numpy()), np.exp(kept), 0).sum(1)


@given(case=cases(), k=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_along_a_way_are_the_values_of_its_prefixes(case: Case, k: int) -> None:
    trie = case.engine.trie
    found = search(case.engine, case.context, Plan((Level(4, 9),) * case.depth), k)
    names = [step.children.node.numpy().astype(np.float32) for step in found.steps]
    ways = along(levels_of(found), names, found.node, trie)
    real = np.isfinite(found.log_prob)
    assert np.array_equal(ways[real], trie.path(found.node)[real])
    strangers = np.array([range(trie.first_leaf, trie.nodes)] * case.context.batch, np.int32)
    last = along(levels_of(found), names, strangers, trie)[..., -1]
    for row, missing in enumerate(np.isnan(last)):
        children = found.steps[-1].children
        there = children.node.numpy()[row, np.isfinite(children.log_prob.numpy()[row])]
        assert set(strangers[row, ~missing].tolist()) == set(there.tolist())
