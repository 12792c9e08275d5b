"""Tiers by name: their widths, what `auto` may walk between which bounds, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.budget.ladder import EXACT, SEARCHES, TIERS, Choice, Ladder
from service.errors import StartError, UnknownTierError
from service.search.plan import Level, Rule

LADDER = Ladder(depth=3, rule=Rule(0.5, 0.25), exact=True)
NAMES = st.sampled_from((*SEARCHES, EXACT))
WALKS = st.sets(st.sampled_from(SEARCHES), min_size=1).map(lambda s: tuple(n for n in SEARCHES if n in s))


def choose(name: str, k: int = 10, ladder: Ladder = LADDER) -> Choice:
    return ladder.choice(name, name, "requested", k)


def test_the_ladder_climbs() -> None:
    widths = [(tier.k_keep, tier.k_plus) for tier in TIERS]
    assert widths == sorted(widths)
    assert SEARCHES == ("floor", "k10", "k20", "k50", "k100", "k200", "k500", "k1000")
    assert LADDER.names == (*SEARCHES, EXACT)


@pytest.mark.parametrize(
    ("name", "k_keep", "k_plus", "use_prm"),
    [("floor", 10, 10, False), ("k10", 10, 40, True), ("k50", 50, 200, True), ("k1000", 1000, 4000, True)],
)
def test_a_named_tier_is_what_runs(name: str, k_keep: int, k_plus: int, use_prm: bool) -> None:
    choice = choose(name)
    assert choice.plan is not None
    assert choice.plan.levels == (Level(k_keep, k_plus),) * 3
    assert (choice.plan.use_prm, choice.plan.rule) == (use_prm, Rule(0.5, 0.25))
    assert (choice.requested, choice.tier, choice.reason) == (name, name, "requested")
    assert (choice.k_keep, choice.k_plus) == (k_keep, k_plus)


def test_a_choice_says_what_was_asked_and_why() -> None:
    choice = LADDER.choice("auto", "k20", "load", 5, rule=Rule(0, 2))
    assert (choice.requested, choice.tier, choice.reason) == ("auto", "k20", "load")
    assert choice.plan is not None
    assert choice.plan.rule == Rule(0, 2)


@pytest.mark.parametrize("name", LADDER.names)
@pytest.mark.parametrize("k", [1, 11, 60, 1000])
def test_the_width_always_holds_k(name: str, k: int) -> None:
    choice = choose(name, k)
    assert choice.k_plus >= choice.k_keep >= k
    assert choice.plan is None or all(level.k_keep >= k for level in choice.plan.levels)
    assert name == EXACT or LADDER.k_plus(name, k) == choice.k_plus


def test_a_plain_beam_of_any_tier_expands_no_more_than_it_keeps() -> None:
    choice = LADDER.choice("k100", "k100", "requested", 10, "beam")
    assert choice.plan is not None
    assert not choice.plan.use_prm
    assert (choice.k_keep, choice.k_plus) == (100, 100)


def test_exact_has_no_plan_and_needs_a_scan() -> None:
    assert choose(EXACT, 7).plan is None
    with pytest.raises(UnknownTierError):
        choose(EXACT, 7, Ladder(3, Rule(), exact=False))
    with pytest.raises(UnknownTierError, match="beam"):
        LADDER.choice(EXACT, EXACT, "requested", 7, "beam")


@pytest.mark.parametrize("name", ["k51", "", "K50", "Exact", "none", "auto", "\ud800", "k50 "])
def test_an_unknown_tier_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(UnknownTierError, match="k50"):
        LADDER.check(name)
    with pytest.raises(UnknownTierError, match="k50"):
        choose(name)


@pytest.mark.parametrize("walk", [(), ("k51",), ("k50", "k10"), ("k10", "k10"), (EXACT,), ("floor", EXACT)])
def test_a_walk_that_does_not_climb_stops_the_start(walk: tuple[str, ...]) -> None:
    with pytest.raises(StartError, match="auto walks"):
        Ladder(3, Rule(), exact=True, walk=walk)


@given(WALKS, st.none() | NAMES, st.none() | NAMES)
def test_bounds_leave_the_walk_inside_them_and_never_nothing(
    walk: tuple[str, ...], lowest: str | None, highest: str | None
) -> None:
    place = (*SEARCHES, EXACT).index
    bottom, top = place(lowest or "floor"), place(highest or EXACT)
    inside = Ladder(3, Rule(), exact=True, walk=walk).between(lowest, highest)
    expected = tuple(name for name in walk if bottom <= place(name) <= top)
    assert inside
    if expected:
        assert inside == expected
    elif lowest == EXACT and top >= place(walk[-1]):
        assert inside == walk[-1:]
    elif bottom <= top:
        assert inside in ((lowest,), (highest,))
    elif lowest != EXACT:
        assert inside == (highest,)


def test_a_bound_that_is_no_tier_is_refused() -> None:
    with pytest.raises(UnknownTierError):
        LADDER.between("k11", None)
    with pytest.raises(UnknownTierError):
        Ladder(3, Rule(), exact=False).between(None, EXACT)


def test_a_bundle_tunes_widths_by_depth_under_the_same_names() -> None:
    tuned = Ladder(3, LADDER.rule, exact=True, widths={"k50": ((30, 480), (50, 800), (50, 200))})
    plan = choose("k50", ladder=tuned).plan
    assert plan is not None
    assert plan.levels == (Level(30, 480), Level(50, 800), Level(50, 200))
    beam = tuned.choice("k50", "k50", "requested", 10, "beam").plan
    assert beam is not None
    assert beam.levels == (Level(30, 30), Level(50, 50), Level(50, 50))
    assert choose("k100", ladder=tuned) == choose("k100")
    assert choose("k50", 60, tuned).k_plus == tuned.k_plus("k50", 60) == 240


@pytest.mark.parametrize(
    ("name", "levels"),
    [("k51", ((9, 9),) * 3), ("k50", ((9, 9),) * 2), ("k50", ((9, 8),) * 3), ("k50", ((0, 8),) * 3)],
)
def test_widths_that_cannot_run_stop_the_start(name: str, levels: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(StartError, match="cannot be tuned"):
        Ladder(3, Rule(), exact=True, widths={name: levels})


@given(st.sampled_from(SEARCHES), st.integers(1, 500), st.integers(0, 300))
def test_every_tier_with_the_prm_rescores_the_pool_and_no_other_does(name: str, k: int, pool: int) -> None:
    ladder = Ladder(depth=3, rule=Rule(0.5, 0.25), exact=True, pool=pool)
    guided, beam = (
        ladder.choice(name, name, "requested", k).plan,
        ladder.choice(name, name, "requested", k, "beam").plan,
    )
    plain = choose(name, k).plan
    assert guided is not None
    assert beam is not None
    assert plain is not None
    assert (guided.rescore, beam.rescore) == (pool if name != "floor" else 0, 0)
    assert guided.levels == plain.levels, "the widths are those of a bundle without a correction"
    assert plain.rescore == 0
