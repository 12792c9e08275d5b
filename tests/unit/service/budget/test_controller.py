"""The controller: more trouble never buys a better tier, load is followed with hysteresis, nothing makes it raise."""

from copy import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.budget.controller import SAFETY, Controller, Signals
from service.budget.cost import LEVEL1, Costs
from service.budget.ladder import EXACT, SEARCHES, WALK, Ladder
from service.errors import UnknownTierError
from service.search.plan import Rule

LADDER = Ladder(3, Rule(), exact=True)
THRESHOLDS = (0.2, 0.4, 0.7)
HOLD = 0.25
RANK = (*SEARCHES, EXACT).index


def controller(thresholds: tuple[float, ...] = THRESHOLDS, target_s: float = 0.05) -> Controller:
    """Costs a request: level 1 0.5 ms, then floor 0.2, k10 0.5, k20 1, k50 2 ms."""
    costs = Costs()
    for batch in (1, 32):
        costs.calibrate(LEVEL1, 0, batch, 0.0005 * batch)
        for tier, seconds in zip(WALK, (0.0002, 0.0005, 0.001, 0.002), strict=True):
            costs.calibrate(tier, LADDER.k_plus(tier, 1), batch, seconds * batch)
    return Controller(LADDER, costs, thresholds, target_s, HOLD)


BOUNDS = st.none() | st.sampled_from((*SEARCHES, EXACT))
SIGNALS = st.builds(
    Signals,
    now=st.floats(0, 100),
    remaining_s=st.floats(-1, 1) | st.just(float("inf")),
    backlog=st.integers(0, 500),
    batch=st.integers(1, 64),
    difficulty=st.none() | st.floats(0, 1),
    k=st.integers(1, 1000),
    lowest=BOUNDS,
    highest=BOUNDS,
)
PAST = st.lists(SIGNALS, max_size=8).map(lambda past: sorted(past, key=lambda signals: signals.now))


def worse(signals: Signals, which: str, more: int) -> Signals:
    """The same but for one signal that asks for less: less time, more company, more items, an easier request."""
    if which == "remaining_s":
        return replace(signals, remaining_s=signals.remaining_s - more / 300)
    if which == "difficulty":
        hard = 1.0 if signals.difficulty is None else signals.difficulty
        return replace(signals, difficulty=hard * more / 300)
    company: dict[str, Any] = {which: getattr(signals, which) + more}
    return replace(signals, **company)


@pytest.mark.parametrize("which", ["remaining_s", "backlog", "batch", "difficulty", "k"])
@given(past=PAST, signals=SIGNALS, more=st.integers(0, 300))
def test_more_trouble_never_buys_a_better_tier(which: str, past: list[Signals], signals: Signals, more: int) -> None:
    one = controller()
    for each in past:
        one.decide(each)
    calm, troubled = copy(one).decide(signals), copy(one).decide(worse(signals, which, more))
    assert RANK(troubled.tier) <= RANK(calm.tier)


@given(PAST, SIGNALS)
def test_the_tier_keeps_its_bounds(past: list[Signals], signals: Signals) -> None:
    one = controller()
    for each in [*past, signals]:
        decision = one.decide(each)
        assert decision.tier in LADDER.between(each.lowest, each.highest)
        if each.lowest is None and each.highest is None:
            assert decision.tier in WALK


@given(st.lists(st.floats()), st.floats(), st.floats(), st.integers(), st.integers(), st.floats(), st.text(), st.text())
def test_no_signals_make_it_raise(
    thresholds: list[float],
    now: float,
    remaining: float,
    backlog: int,
    batch: int,
    difficulty: float,
    low: str,
    high: str,
) -> None:
    one = controller(tuple(thresholds))
    for signals in (Signals(now, remaining, backlog, batch, difficulty, 10, low, high), Signals(0.0)):
        assert one.decide(signals).tier in SEARCHES
        one.admit(backlog, remaining)


@pytest.mark.parametrize(
    ("signals", "tier", "reason"),
    [
        (Signals(0.0), "k50", "best"),
        (Signals(0.0, difficulty=0.9), "k50", "best"),
        (Signals(0.0, difficulty=float("nan")), "k50", "best"),
        (Signals(0.0, difficulty=0.7), "k20", "difficulty"),
        (Signals(0.0, difficulty=0.1), "floor", "difficulty"),
        (Signals(0.0, difficulty=0.5, backlog=500), "floor", "load"),
        (Signals(0.0, difficulty=0.1, backlog=500), "floor", "difficulty"),
        (Signals(0.0, remaining_s=0.002), "k20", "deadline"),
        (Signals(0.0, remaining_s=-1.0), "floor", "deadline"),
        (Signals(0.0, remaining_s=0.01, k=1000), "floor", "deadline"),
        (Signals(0.0, difficulty=0.1, lowest="k20"), "k20", "bounds"),
        (Signals(0.0, highest="k10"), "k10", "bounds"),
        (Signals(0.0, lowest="k200"), "k200", "bounds"),
    ],
)
def test_a_decision_says_why(signals: Signals, tier: str, reason: str) -> None:
    decision = controller().decide(signals)
    assert (decision.tier, decision.reason) == (tier, reason)


def test_without_thresholds_difficulty_changes_nothing() -> None:
    assert controller(()).decide(Signals(0.0, difficulty=0.0)).reason == "best"


@given(st.integers(30, 500), st.floats(0.01, 1.0))
def test_the_ceiling_falls_at_once_and_rises_a_step_at_a_time(backlog: int, every: float) -> None:
    one = controller()
    one.decide(Signals(0.0, backlog=backlog))
    fallen, now = RANK(one.ceiling), 0.0
    assert fallen < RANK("k50")
    while one.ceiling != "k50":
        now += every
        before = RANK(one.ceiling)
        one.decide(Signals(now))
        assert before <= RANK(one.ceiling) <= fallen + now / HOLD + 1e-6
    assert now <= len(WALK) * HOLD + every


def test_a_queue_that_comes_and_goes_does_not_flap() -> None:
    one = controller()
    ceilings = [one.decide(Signals(step * 0.1, backlog=500 if step % 2 else 0)) and one.ceiling for step in range(50)]
    assert set(ceilings[1:]) == {"floor"}


@given(PAST, SIGNALS)
def test_frozen_is_frozen_and_thaws(past: list[Signals], signals: Signals) -> None:
    one = controller()
    one.freeze("k10")
    for each in [*past, signals]:
        decision = one.decide(each)
        assert (decision.tier, decision.reason, one.frozen) == ("k10", "frozen", "k10")
    one.freeze(None)
    assert one.decide(Signals(1e6)).tier == "k50"
    with pytest.raises(UnknownTierError):
        one.freeze("k51")


@given(st.integers(0, 2000), st.floats(-1, 10), st.integers(0, 100), st.floats(0, 5))
def test_admission_is_monotone_and_says_when_to_come_back(
    backlog: int, remaining: float, more: int, less: float
) -> None:
    one = controller()
    shed = one.admit(backlog, remaining)
    if shed is not None:
        assert shed > 0
        assert backlog > 0
        assert one.admit(backlog + more, remaining - less) is not None
        assert one.admit(0, remaining) is None
    elif backlog:
        assert SAFETY * backlog * 0.0007 <= remaining


def test_what_runs_on_the_device_is_waited_for_too() -> None:
    one = controller()
    assert one.admit(20, 0.02) is None
    assert one.admit(20, 0.02, running=20) is not None
    assert one.admit(0, 0.02, running=20) is None


def test_measurements_reach_the_costs() -> None:
    one = controller()
    for _ in range(40):
        one.observe("k50", 200, 1, 0.02)
    assert one.decide(Signals(0.0, remaining_s=0.008)).tier == "k10"


def test_dear_requests_in_the_queue_weigh_as_much_as_they_cost() -> None:
    light, heavy = controller(), controller()
    light.weigh([(None, 10)] * 200)
    heavy.weigh([(None, 1000), ("k1000", 10)] * 100)
    assert light.admit(20, 0.1) is None
    wait = heavy.admit(20, 0.1)
    assert wait is not None
    assert wait > 10 * 20 * 0.0007
    signals = Signals(0.0, backlog=20)
    assert RANK(heavy.decide(signals).tier) < RANK(light.decide(signals).tier)


def test_a_request_for_many_items_is_held_to_the_target_itself() -> None:
    assert RANK(controller().decide(Signals(0.0, batch=8, k=1000)).tier) < RANK("k50")
