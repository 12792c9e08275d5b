"""Tiers by name: their widths, what `auto` means, and what is refused."""

import pytest

from service.budget.ladder import AUTO, EXACT, TIERS, Ladder
from service.errors import StartError, UnknownTierError
from service.search.plan import Level, Rule

LADDER = Ladder(depth=3, rule=Rule(0.5, 0.25), exact=True)


def test_the_ladder_climbs() -> None:
    widths = [(tier.k_keep, tier.k_plus) for tier in TIERS]
    assert widths == sorted(widths)
    assert [tier.name for tier in TIERS] == ["floor", "k10", "k20", "k50", "k100", "k200", "k500", "k1000"]
    assert LADDER.names[-1] == EXACT


@pytest.mark.parametrize(
    ("name", "k_keep", "k_plus", "use_prm"),
    [("floor", 10, 10, False), ("k10", 10, 40, True), ("k50", 50, 200, True), ("k1000", 1000, 4000, True)],
)
def test_a_named_tier_is_what_runs(name: str, k_keep: int, k_plus: int, use_prm: bool) -> None:
    choice = LADDER.choose(name, k=10)
    assert choice.plan is not None
    assert choice.plan.levels == (Level(k_keep, k_plus),) * 3
    assert (choice.plan.use_prm, choice.plan.rule) == (use_prm, Rule(0.5, 0.25))
    assert (choice.requested, choice.tier, choice.reason) == (name, name, "requested")
    assert (choice.k_keep, choice.k_plus) == (k_keep, k_plus)


def test_auto_is_the_default_tier() -> None:
    choice = Ladder(3, Rule(), True, default="k20").choose(AUTO, k=5)
    assert (choice.requested, choice.tier, choice.reason) == (AUTO, "k20", "default")


@pytest.mark.parametrize("name", [*LADDER.names, AUTO])
@pytest.mark.parametrize("k", [1, 11, 60, 1000])
def test_the_width_always_holds_k(name: str, k: int) -> None:
    choice = LADDER.choose(name, k)
    assert choice.k_plus >= choice.k_keep >= k
    assert choice.plan is None or all(level.k_keep >= k for level in choice.plan.levels)


def test_a_plain_beam_of_any_tier_expands_no_more_than_it_keeps() -> None:
    choice = LADDER.choose("k100", 10, "beam")
    assert choice.plan is not None
    assert not choice.plan.use_prm
    assert (choice.k_keep, choice.k_plus) == (100, 100)


def test_exact_has_no_plan_and_needs_a_scan() -> None:
    assert LADDER.choose(EXACT, 7).plan is None
    with pytest.raises(UnknownTierError):
        Ladder(3, Rule(), exact=False).choose(EXACT, 7)
    with pytest.raises(UnknownTierError, match="beam"):
        LADDER.choose(EXACT, 7, "beam")


@pytest.mark.parametrize("name", ["k51", "", "K50", "Exact", "none", "\ud800", "k50 "])
def test_an_unknown_tier_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(UnknownTierError, match="k50"):
        LADDER.choose(name, 10)


def test_an_unknown_default_tier_stops_the_start() -> None:
    with pytest.raises(StartError, match="exact"):
        Ladder(3, Rule(), exact=False, default="exact")
