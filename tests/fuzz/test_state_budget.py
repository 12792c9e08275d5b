"""The budget controller under any signals: what it decides stays inside what every one of them allows."""

import copy
from dataclasses import replace

import pytest
from bulk import chosen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.budget.controller import Controller, Signals
from service.budget.cost import LEVEL1, Costs
from service.budget.ladder import EXACT, SEARCHES, Ladder
from service.errors import UnknownTierError
from service.search.plan import Rule

WALK = ("floor", "k10", "k20", "k50")
TARGET_S, HOLD_S = 0.05, 0.25
bounds = st.none() | st.sampled_from([*SEARCHES, EXACT])
seconds = st.floats(1e-5, 0.5)
signals = st.builds(
    Signals,
    now=st.just(0.0),
    remaining_s=st.just(float("inf")) | st.floats(-0.1, 2),
    backlog=st.integers(0, 200),
    batch=st.integers(1, 64),
    difficulty=st.none() | st.floats(0, 1) | st.just(float("nan")),
    k=st.integers(1, 1000),
    lowest=bounds,
    highest=bounds,
)


class Budget(RuleBasedStateMachine):
    """Time goes on, signals come, costs change, operators freeze and thaw."""

    @initialize(
        costs=st.lists(seconds, min_size=5, max_size=5).map(sorted), thresholds=st.lists(st.floats(0, 1), max_size=3)
    )
    def begin(self, costs: list[float], thresholds: list[float]) -> None:
        self.ladder, self.costs, self.now = Ladder(3, Rule(), exact=True, walk=WALK), Costs(), 0.0
        self.costs.calibrate(LEVEL1, 0, 1, costs[0])
        for name, cost in zip(WALK, costs[1:], strict=True):
            for batch in (1, 8):
                self.costs.calibrate(name, self.ladder.k_plus(name, 10), batch, cost * batch**0.8)
        fitting = sorted(thresholds) if len(thresholds) == len(WALK) - 1 else []
        self.controller = Controller(self.ladder, self.costs, fitting, TARGET_S, HOLD_S)
        self.frozen: str | None = None
        self.raised_at, self.ceiling = 0.0, WALK[-1]

    @rule(passed=st.floats(0, 1))
    def wait(self, passed: float) -> None:
        self.now += passed

    @rule(given=signals)
    def decide(self, given: Signals) -> None:
        given = replace(given, now=self.now)
        self._check_order(given)
        before = WALK.index(self.controller.ceiling)
        decision = self.controller.decide(given)
        steps = WALK.index(self.controller.ceiling) - before
        assert steps <= 1 + (self.now - self.raised_at) / HOLD_S, "the ceiling rises step by step"
        self.raised_at = self.now if steps > 0 else self.raised_at
        if decision.reason == "frozen":
            assert decision.tier == self.frozen
            return
        assert self.frozen in (None, EXACT)
        inside = self.ladder.between(given.lowest, given.highest)
        if given.lowest is not None or given.highest is not None:
            assert decision.tier in inside
        if decision.reason != "bounds":
            assert WALK.index(decision.tier) <= WALK.index(self.controller.ceiling)

    def _check_order(self, given: Signals) -> None:
        """More trouble never means a dearer tier, less of it never a cheaper one; each asked of a copy."""
        worse = [replace(given, backlog=given.backlog + 50), replace(given, remaining_s=given.remaining_s - 0.05)]
        if given.difficulty is not None and given.difficulty == given.difficulty:
            worse.append(replace(given, difficulty=given.difficulty / 2))
        usual = self._place(given)
        assert all(self._place(one) <= usual for one in worse), (given, worse)

    def _place(self, given: Signals) -> int:
        return SEARCHES.index(copy.copy(self.controller).decide(given).tier)

    @rule(tier=st.none() | st.sampled_from([*SEARCHES, EXACT, "k51", ""]))
    def freeze(self, tier: str | None) -> None:
        known = tier is None or tier in self.ladder.names
        try:
            self.controller.freeze(tier)
        except UnknownTierError:
            assert not known
            return
        assert known
        self.frozen = tier

    @rule(tier=st.sampled_from(WALK), batch=st.integers(0, 64), took=st.floats(0, 10) | st.just(float("nan")))
    def observe(self, tier: str, batch: int, took: float) -> None:
        self.controller.observe(tier, self.ladder.k_plus(tier, 10), batch, took)

    @rule(served=st.lists(st.tuples(st.none() | st.sampled_from(SEARCHES), st.integers(1, 1000)), max_size=8))
    def weigh(self, served: list[tuple[str | None, int]]) -> None:
        self.controller.weigh(served)

    @rule(backlog=st.integers(-1, 500), left=st.floats(-1, 10), running=st.integers(0, 64))
    def admit(self, backlog: int, left: float, running: int) -> None:
        wait = self.controller.admit(backlog, left, running)
        assert wait is None or wait >= 0
        assert backlog > 0 or wait is None, "an empty queue lets everyone in"
        more = self.controller.admit(backlog + 50, left, running)
        assert wait is None or more is not None, "a longer queue lets nobody in who was refused"

    @invariant()
    def it_is_what_it_was_told(self) -> None:
        if hasattr(self, "controller"):
            assert self.controller.frozen == self.frozen
            assert self.controller.ceiling in WALK
            estimates = [self.costs.estimate(name, self.ladder.k_plus(name, 10), 4) for name in WALK]
            assert all(0 <= estimate < float("inf") for estimate in estimates)


def test_the_budget_stays_inside_what_its_signals_allow(pytestconfig: pytest.Config) -> None:
    run_state_machine_as_test(Budget, settings=chosen(pytestconfig, 6, 0.01, steps=20))
