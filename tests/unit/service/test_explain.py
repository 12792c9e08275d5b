"""The trace tells what happened: checked against the search's own tensors."""

import math

import numpy as np
import pytest
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.explain import SHOWN, Explanation
from service.items import tokens
from service.search.guided import Found, search
from service.search.plan import Plan
from service.search.spent import spent
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=600, depth=3, codes=9, seed=5)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)


def found(plan: Plan, excluded: tuple[int, ...] = ()) -> Found:
    codes, items, lengths = tokens(CATALOGUE, np.array([4, 8, 15], np.int32))
    context = ENGINE.context(ENGINE.encode(codes, items, lengths), lengths, [banned(TRIE, excluded)])
    return search(ENGINE, context, plan, 10)


GUIDED = found(Plan.uniform(3, 12, 48))


def test_levels_count_what_was_expanded_kept_and_rescued() -> None:
    levels = Explanation(GUIDED, TRIE).levels()
    assert [level.level for level in levels] == [1, 2, 3]
    assert [level.expanded for level in levels] == [9, 48, 48]
    assert [level.kept for level in levels] == [9, 12, 12]
    assert [level.rescued for level in levels] == [spent(step)[0].rescued for step in GUIDED.steps]
    assert levels[0].rescued == 0
    assert levels[1].rescued > 0


def test_a_rescued_prefix_is_kept_against_its_log_probability() -> None:
    for step, level in zip(GUIDED.steps, Explanation(GUIDED, TRIE).levels(), strict=True):
        beam_cut = np.sort(step.children.log_prob.numpy()[0])[::-1][:12].min()
        for candidate in level.candidates:
            assert not candidate.rescued or (candidate.kept and candidate.log_prob <= beam_cut)


def test_candidates_show_both_ends_best_reward_first() -> None:
    for level in Explanation(GUIDED, TRIE).levels()[1:]:
        rewards = [candidate.reward for candidate in level.candidates if candidate.reward is not None]
        assert rewards == sorted(rewards, reverse=True)
        assert SHOWN <= len(level.candidates) <= 2 * SHOWN
        assert {len(candidate.sid) for candidate in level.candidates} == {level.level}
        assert not all(candidate.kept for candidate in level.candidates)


def test_entropy_lies_between_certainty_and_ignorance() -> None:
    for level in Explanation(GUIDED, TRIE).levels():
        assert level.entropy is not None
        assert 0 < level.entropy < math.log(level.expanded)


def test_every_path_ends_in_its_item_with_the_scores_of_the_answer() -> None:
    leaves = GUIDED.node[0]
    assert GUIDED.reward is not None
    for at, path in enumerate(Explanation(GUIDED, TRIE).paths(leaves)):
        sid = tuple(CATALOGUE.sids[TRIE.rows(leaves)[at] - 1].tolist())
        assert [step.sid for step in path] == [sid[:1], sid[:2], sid]
        assert path[-1].log_prob == pytest.approx(GUIDED.log_prob[0, at], abs=1e-5)
        assert path[-1].reward == pytest.approx(GUIDED.reward[0, at], abs=1e-5)


def test_a_plain_beam_has_no_rewards_and_rescues_nothing() -> None:
    plain = found(Plan.uniform(3, 10, 10, use_prm=False))
    levels = Explanation(plain, TRIE).levels()
    assert all(level.entropy is None and level.rescued == 0 for level in levels)
    assert all(candidate.reward is None and candidate.kept for level in levels for candidate in level.candidates)
    assert all(step.reward is None for path in Explanation(plain, TRIE).paths(plain.node[0]) for step in path)


def test_filler_rows_are_no_candidates() -> None:
    scarce = found(Plan.uniform(3, 12, 48), excluded=tuple(range(4, 601)))
    levels = Explanation(scarce, TRIE).levels()
    assert levels[-1].expanded == levels[-1].kept == len(levels[-1].candidates) == 3
    nothing = found(Plan.uniform(3, 12, 48), excluded=tuple(range(1, 601)))
    assert [level.expanded for level in Explanation(nothing, TRIE).levels()] == [0, 0, 0]
