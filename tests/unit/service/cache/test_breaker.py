"""The breaker against a plainer model of itself, and what a period's outcomes may not do to the next one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from service.cache.breaker import Breaker

FAILURES, WINDOW_S, PAUSE_S, LONGEST_S = 3, 10.0, 0.1, 2.0


def breaker(jitter: float = 0.5) -> Breaker:
    return Breaker(FAILURES, WINDOW_S, PAUSE_S, LONGEST_S, lambda: jitter)


def opened(now: float = 0.0) -> Breaker:
    machine = breaker()
    for _ in range(FAILURES):
        machine.failure(machine.allow(), now)
    return machine


class Machine(RuleBasedStateMachine):
    """Commands start and end in any order; `owed` counts the failures that no success has taken back."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now, self.owed = breaker(), 0.0, list[float]()
        self.current: set[int] = set()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 0.5, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=tickets)
    def command(self) -> object:
        ticket = self.breaker.allow()
        assert bool(ticket) == (self.breaker.state == "closed")
        self.current |= {ticket} - {0}
        return ticket if ticket else multiple()

    @rule(ticket=consumes(tickets))
    def answered(self, ticket: int) -> None:
        before = self.breaker.state
        self.breaker.success(ticket, self.now)
        assert self.breaker.state == before
        if ticket in self.current and self.owed:
            self.owed.pop(0)

    @rule(ticket=consumes(tickets))
    def failed(self, ticket: int) -> None:
        before, retry_at = self.breaker.state, self.breaker.retry_at
        self.breaker.failure(ticket, self.now)
        if ticket not in self.current:
            assert (self.breaker.state, self.breaker.retry_at) == (before, retry_at)
            return
        self.owed = [at for at in [*self.owed, self.now] if at > self.now - WINDOW_S]
        assert (self.breaker.state == "open") == (len(self.owed) >= FAILURES)
        if self.breaker.state == "open":
            self.owed, self.current = [], set()

    @precondition(lambda self: self.breaker.state != "closed")
    @rule(works=st.booleans(), reports=st.booleans())
    def probe(self, works: bool, reports: bool) -> None:
        due = self.now >= self.breaker.retry_at
        ticket = self.breaker.probe(self.now)
        assert bool(ticket) == due
        if not ticket:
            return
        assert self.breaker.state == "half-open"
        assert not self.breaker.probe(self.now)
        if reports:
            (self.breaker.success if works else self.breaker.failure)(ticket, self.now)
            assert self.breaker.state == ("closed" if works else "open")

    @invariant()
    def the_next_probe_is_near(self) -> None:
        if self.breaker.state != "closed":
            assert self.breaker.retry_at <= self.now + 1.2 * LONGEST_S


TestMachine = Machine.TestCase


@given(st.lists(st.booleans(), max_size=200))
def test_rare_failures_never_open_it(answers: list[bool]) -> None:
    """After each failure two commands are answered: a third fails, and it stays closed."""
    machine = breaker()
    for fails in answers:
        if fails:
            machine.failure(machine.allow(), 0.0)
            machine.success(machine.allow(), 0.0)
        machine.success(machine.allow(), 0.0)
    assert machine.state == "closed"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=30))
def test_what_was_in_flight_when_it_opened_changes_nothing_ever(late: list[tuple[bool, float]]) -> None:
    machine = breaker()
    tickets = [machine.allow() for _ in range(FAILURES + len(late))]
    for ticket in tickets[:FAILURES]:
        machine.failure(ticket, 0.0)
    recovered = opened()
    recovered.success(recovered.probe(recovered.retry_at), 1.0)
    for ticket, (fails, now) in zip(tickets[FAILURES:], late, strict=True):
        for one in (machine, recovered):
            state, retry_at = one.state, one.retry_at
            (one.failure if fails else one.success)(ticket, now)
            assert (one.state, one.retry_at) == (state, retry_at)


@given(st.integers(1, 12), st.floats(0, 1))
def test_pauses_double_up_to_the_longest_and_are_spread_by_a_fifth(probes: int, jitter: float) -> None:
    machine, now = breaker(jitter), 0.0
    for _ in range(FAILURES):
        machine.failure(machine.allow(), now)
    for number in range(probes):
        pause = min(PAUSE_S * 2**number, LONGEST_S)
        assert math.isclose(machine.retry_at - now, pause * (0.8 + 0.4 * jitter))
        now = machine.retry_at
        machine.failure(machine.probe(now), now)


@pytest.mark.parametrize(("calm_s", "doubles"), [(WINDOW_S / 2, True), (WINDOW_S, False)])
def test_opening_again_soon_doubles_the_pause_and_later_starts_anew(calm_s: float, doubles: bool) -> None:
    machine = opened()
    now = machine.retry_at
    machine.success(machine.probe(now), now)
    now += calm_s
    for _ in range(FAILURES):
        machine.failure(machine.allow(), now)
    assert math.isclose(machine.retry_at - now, 2 * PAUSE_S if doubles else PAUSE_S)


def test_a_lost_probe_is_followed_by_another_and_comes_too_late() -> None:
    machine = opened()
    lost = machine.probe(machine.retry_at)
    second = machine.probe(machine.retry_at)
    assert 0 not in (lost, second)
    states = []
    for ticket in (lost, second):
        machine.success(ticket, machine.retry_at)
        states.append(machine.state)
    assert states == ["half-open", "closed"]
