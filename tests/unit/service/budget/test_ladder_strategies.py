"""What the ladder offers of the shelf of strategies, and the plans it makes of them."""

import pytest

from service.budget.difficulty import Gauge
from service.budget.ladder import EXACT, NONE, Ladder, common
from service.errors import UnknownStrategyError, UnknownTierError
from service.search.plan import Rule
from service.search.strategies.routed import Router
from service.search.strategies.shelf import BEAM, GUIDED, ROUTED, STRATEGIES, VOTING

ROUTER = Router(Gauge())
FULL = Ladder(3, Rule(0.0, 0.5), exact=True, pool=200, votes=True, router=ROUTER)
BARE = Ladder(3, Rule(), exact=True)


def test_a_bundle_without_votes_offers_what_needs_none() -> None:
    assert FULL.strategies == STRATEGIES
    assert set(BARE.strategies) == set(STRATEGIES) - VOTING - {ROUTED}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_plans_every_search_tier_wide_enough(name: str) -> None:
    for tier in ("k10", "k50", "k1000"):
        choice = FULL.choice(tier, tier, "requested", 30, name)
        assert choice.strategy == name
        assert choice.plan is not None
        assert choice.plan.use_prm is (name != BEAM)
        assert all(level.k_plus >= level.k_keep for level in choice.plan.levels)
        assert choice.plan.levels[-1].k_keep >= 30
        assert hash(choice.plan) == hash(FULL.choice(tier, tier, "requested", 30, name).plan)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_floor_is_a_plain_beam_whatever_was_asked(name: str) -> None:
    choice = FULL.choice("floor", "floor", "load", 10, name)
    assert choice.strategy == BEAM
    assert choice == FULL.choice("floor", "floor", "load", 10, BEAM)


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {GUIDED}))
def test_a_scan_is_no_search(name: str) -> None:
    assert FULL.choice(EXACT, EXACT, "requested", 10).strategy == NONE
    with pytest.raises(UnknownTierError, match=name):
        FULL.choice(EXACT, EXACT, "requested", 10, name)


@pytest.mark.parametrize(("name", "told"), [("gided", "Did you mean 'guided'"), ("x", "there are guided, beam")])
def test_an_unknown_name_is_told_what_there_is(name: str, told: str) -> None:
    with pytest.raises(UnknownStrategyError, match=told):
        FULL.choice("k10", "k10", "requested", 10, name)


@pytest.mark.parametrize("name", sorted(VOTING))
def test_what_needs_votes_says_so(name: str) -> None:
    with pytest.raises(UnknownStrategyError, match="votes"):
        BARE.choice("k10", "k10", "requested", 10, name)


def test_a_route_needs_a_router() -> None:
    with pytest.raises(UnknownStrategyError, match="a router"):
        BARE.choice("k10", "k10", "requested", 10, ROUTED)


def test_best_of_n_asks_the_prm_at_the_leaves_alone() -> None:
    plan = FULL.choice("k20", "k20", "requested", 10, "best_of_n").plan
    assert plan is not None
    assert [plan.prunes(level) for level in range(3)] == [False, False, True]
    assert [(level.k_keep, level.k_plus) for level in plan.levels] == [(80, 80), (80, 80), (20, 80)]


def test_the_final_scorer_leaves_the_middle_to_the_generator() -> None:
    plan = FULL.choice("k20", "k20", "requested", 10, "final_scorer").plan
    assert plan is not None
    assert [plan.prunes(level) for level in range(3)] == [True, False, True]
    assert plan.rescores(2)


def test_common_keeps_the_order_of_the_first() -> None:
    assert common([("a", "b", "c"), ("c", "a")]) == ["a", "c"]
