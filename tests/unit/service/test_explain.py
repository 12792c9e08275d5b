"""The trace tells what happened: checked against the search's own tensors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import I32, Context
from service.explain import NAMED, SHOWN, Explanation, LevelTrace, PathStep
from service.outcomes import encoded
from service.search.explaining.evidence import Evidence, evidence
from service.search.explaining.influence import influence, weighed
from service.search.guided import Found, search
from service.search.plan import Level, Plan
from service.search.spent import spent
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=600, depth=3, codes=9, seed=5)
TRIE = build(CATALOGUE.sids)
HISTORY = np.array([4, 8, 15, 16, 23, 42], np.int32)
GUIDED = Plan.uniform(3, 12, 48)
BEAM = Plan.uniform(3, 10, 10, use_prm=False)


@dataclass(frozen=True)
class Case:
    """A search, what it found, and the evidence on it."""

    engine: FakeEngine
    plan: Plan
    found: Found
    known: Evidence

    @property
    def leaves(self) -> I32:
        leaves: I32 = self.found.node[0][np.isfinite(self.found.log_prob[0])]
        return leaves

    def explanation(self) -> Explanation:
        return Explanation(self.found, self.plan, TRIE, self.known, CATALOGUE.ids)

    def levels(self) -> tuple[LevelTrace, ...]:
        return self.explanation().levels(self.leaves)

    def paths(self) -> list[tuple[PathStep, ...]]:
        return self.explanation().paths(self.leaves)


def case(
    plan: Plan = GUIDED,
    excluded: Sequence[int] = (),
    history: I32 = HISTORY,
    voters: int = 4,
    late: bool = False,
) -> Case:
    engine = FakeEngine(TRIE, pool=plan.rescore, voters=voters)

    context = context_of(engine, history)
    context.banned = [banned(TRIE, excluded)]
    found = search(engine, context, plan, 10)
    contexts = partial(encoded, engine, CATALOGUE)
    known = evidence(engine, contexts, context, history, found, 0, plan, lambda: late)
    return Case(engine, plan, found, known)


def context_of(engine: FakeEngine, history: I32) -> Context:
    return encoded(engine, CATALOGUE, [history])


@pytest.fixture(scope="module")
def guided() -> Case:
    return case()


@pytest.fixture(scope="module")
def corrected() -> Case:
    return case(Plan.uniform(3, 12, 48, rescore=30))


def test_levels_count_what_was_expanded_kept_and_rescued(guided: Case) -> None:
    levels = guided.levels()
    assert [level.level for level in levels] == [1, 2, 3]
    assert [level.expanded for level in levels] == [9, 48, 48]
    assert [level.kept for level in levels] == [9, 12, 12]
    assert [level.rescued for level in levels] == [spent(step)[0].rescued for step in guided.found.steps]
    assert levels[0].rescued == 0
    assert levels[1].rescued > 0


def test_a_rescued_prefix_is_kept_against_its_log_probability(guided: Case) -> None:
    for step, level in zip(guided.found.steps, guided.levels(), strict=True):
        beam_cut = np.sort(step.children.log_prob.numpy()[0])[::-1][:12].min()
        for candidate in level.candidates:
            assert not candidate.rescued or (candidate.kept and candidate.log_prob <= beam_cut)


def test_candidates_show_both_ends_best_reward_first(guided: Case) -> None:
    for level in guided.levels()[1:]:
        rewards = [candidate.reward for candidate in level.candidates if candidate.reward is not None]
        assert rewards == sorted(rewards, reverse=True)
        assert SHOWN <= len(level.candidates) <= 2 * SHOWN
        assert {len(candidate.sid) for candidate in level.candidates} == {level.level}
        assert not all(candidate.kept for candidate in level.candidates)


def test_entropy_lies_between_certainty_and_ignorance(guided: Case) -> None:
    for level in guided.levels():
        assert level.entropy is not None
        assert 0 < level.entropy < math.log(level.expanded)


@pytest.mark.parametrize("name", ["guided", "corrected"])
def test_every_path_ends_in_its_item_with_the_scores_of_the_answer(name: str, request: pytest.FixtureRequest) -> None:
    one: Case = request.getfixturevalue(name)
    assert one.found.reward is not None
    for at, path in enumerate(one.paths()):
        sid = tuple(CATALOGUE.sids[TRIE.rows(one.leaves)[at] - 1].tolist())
        assert [step.sid for step in path] == [sid[:1], sid[:2], sid]
        assert path[-1].log_prob == pytest.approx(one.found.log_prob[0, at], abs=1e-5)
        assert path[-1].reward == pytest.approx(one.found.reward[0, at], abs=1e-5)


@pytest.mark.parametrize("plan", [GUIDED, Plan.uniform(3, 12, 48, rescore=30), Plan.uniform(3, 30, 48, rescore=30)])
def test_the_strongest_rejected_branch_lost_to_the_last_one_kept(plan: Plan) -> None:
    one = case(plan)
    first, second, third = (level.rejected for level in one.levels())
    assert first is None  # all nine first codes were kept
    assert second is not None
    assert third is not None
    step = one.found.steps[1]
    assert step.pruned is not None
    ranked = sorted(step.pruned.all_rewards.numpy()[0].tolist(), reverse=True)
    keep = plan.levels[1].k_keep
    assert second.reward == pytest.approx(ranked[keep], abs=1e-5)
    assert second.lost_by == pytest.approx(ranked[keep - 1] - ranked[keep], abs=1e-5)
    assert third.lost_by > 0
    kept = [candidate.sid for candidate in one.levels()[2].candidates if candidate.kept]
    assert third.sid not in kept


def test_a_corrected_leaf_lost_by_the_corrected_reward(corrected: Case) -> None:
    """Of the same list of 30 ranked whole, the 13th is the strongest one rejected."""
    narrow = Level(12, 48)
    whole = case(Plan((narrow, narrow, Level(30, 48)), rescore=30)).found.steps[2].pruned
    lost = corrected.levels()[2].rejected
    assert whole is not None
    assert lost is not None
    last_kept, best_lost = whole.reward.numpy()[0, 11:13]
    assert lost.reward == pytest.approx(best_lost, abs=1e-5)
    assert lost.lost_by == pytest.approx(last_kept - best_lost, abs=1e-5)


def test_votes_agree_on_the_best_candidate_or_do_not(guided: Case) -> None:
    for step, level in zip(guided.found.steps, guided.levels(), strict=True):
        votes = guided.engine.vote(context_of(guided.engine, HISTORY), step.children, step.level).votes[0]
        best = votes.mean(1).argmax()
        logs = votes - np.log(np.exp(votes).sum(0))
        assert level.agreement == pytest.approx((votes.argmax(0) == best).mean(), abs=1e-5)
        assert level.deviation == pytest.approx(logs[best].std(), abs=1e-4)
    assert {(level.agreement, level.deviation) for level in case(voters=0).levels()} == {(None, None)}


def test_a_plain_beam_has_no_rewards_and_rescues_nothing() -> None:
    plain = case(BEAM)
    for level in plain.levels():
        assert (level.entropy, level.rescued, level.rejected) == (None, 0, None)
        assert (level.agreement, level.deviation, level.because) == (None, None, None)
        assert all(candidate.reward is None and candidate.kept for candidate in level.candidates)
    assert all(step.reward is None and step.because is None for path in plain.paths() for step in path)


def test_filler_rows_are_no_candidates() -> None:
    levels = case(excluded=range(4, 601)).levels()
    assert levels[-1].expanded == levels[-1].kept == len(levels[-1].candidates) == 3
    nothing = case(excluded=range(1, 601))
    assert [level.expanded for level in nothing.levels()] == [0, 0, 0]
    assert [level.because for level in nothing.levels()] == [None] * 3
    assert nothing.paths() == []


@pytest.mark.parametrize("name", ["guided", "corrected"])
def test_those_are_named_without_whom_a_prefix_loses_most(name: str, request: pytest.FixtureRequest) -> None:
    one: Case = request.getfixturevalue(name)
    names = {CATALOGUE.ids[row - 1] for row in HISTORY}
    for path in one.paths():
        for step in path:
            assert step.because is not None
            changes = [named.change for named in step.because]
            assert len({named.item_id for named in step.because} & names) == NAMED
            assert changes == sorted(changes)
    assert [level.because for level in one.levels()] == [step.because for step in one.paths()[0]]
    why = influence(one.engine, partial(encoded, one.engine, CATALOGUE), HISTORY, weighed(one.engine, one.found, 0.0))
    assert why is not None
    for at, moved in enumerate(why.levels):
        assert moved is not None
        place = moved.weighed.node.tolist().index(TRIE.path(one.leaves)[0, at])
        named, least = one.paths()[0][at].because, sorted(moved.change[:, place].tolist())
        assert [one.change for one in named or ()] == pytest.approx(least[:NAMED], abs=1e-5)


def test_late_requests_are_told_what_costs_nothing() -> None:
    late = case(Plan.uniform(3, 12, 48, rescore=30), late=True)
    assert [level.because for level in late.levels()] == [None] * 3
    assert late.levels()[1].rejected is not None
    assert late.levels()[2].rejected is None  # how the correction ranked the others is not known
    assert late.levels()[2].agreement is not None
    assert late.paths()[0][-1].reward is not None
