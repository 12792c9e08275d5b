"""State machines under any order of events: admission, the live experiments file, a breaker before a broken store."""

import os
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from bulk import Bulk, chosen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from service.api.admission import Admission, Reason
from service.cache.breaker import Breaker
from service.errors import ExperimentsError, OverloadedError
from service.experiments.config import Experiments
from service.experiments.live import LiveExperiments

LIMIT = 3
LONGEST_S, PAUSE_S, FAILURES = 2.0, 0.1, 3


class Places(RuleBasedStateMachine):
    """Requests come and go in any order, some with an error. Never more inside than places; every refusal counted."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Reason] = []
        self.admission = Admission(LIMIT, self.told.append)
        self.inside: list[AbstractContextManager[None]] = []
        self.refused = 0

    @rule(drained=st.none() | st.floats(0, 100))
    def come(self, drained: float | None) -> None:
        slot = self.admission.slot(lambda: drained)
        try:
            slot.__enter__()
        except OverloadedError as error:
            self.refused += 1
            full = len(self.inside) == LIMIT
            assert full or drained is not None, "a place was free"
            _check_wait(error, 1.0 if full else drained or 0)
            return
        assert drained is None
        self.inside.append(slot)

    @precondition(lambda self: self.inside)
    @rule(place=st.integers(0, LIMIT), fails=st.booleans())
    def go(self, place: int, fails: bool) -> None:
        slot = self.inside.pop(place % len(self.inside))
        error = ValueError("a request that broke") if fails else None
        assert not slot.__exit__(type(error) if error else None, error, None), "errors are not swallowed"

    @rule(behind=st.floats(0, 10), patience=st.floats(0, 1))
    def look(self, behind: float, patience: float) -> None:
        try:
            self.admission.look(behind, lambda: patience)
        except OverloadedError:
            self.refused += 1
            assert len(self.inside) == LIMIT or behind > patience
            return
        assert len(self.inside) < LIMIT

    @invariant()
    def as_many_as_are_inside(self) -> None:
        assert self.admission.active == len(self.inside) <= LIMIT
        assert len(self.told) == self.refused


def _check_wait(error: OverloadedError, seconds: float) -> None:
    """Whoever is refused is told when to come again: about when there is room."""
    assert 1 <= int(error.headers["Retry-After"]) <= seconds + 4


GOOD = [
    f"experiments: [{{name: {name}, buckets: [{{name: a, weight: 0.5}}, {{name: b, weight: 0.5, tier: {tier}}}]}}]"
    for name, tier in (("one", "k10"), ("two", "k20"), ("three", "k50"))
]
BAD = [
    b"",
    b"experiments:",
    b"\xff\xfe",
    b"- x",
    b"a: !!timestamp x",
    GOOD[0].encode()[:60],
    GOOD[0].replace("k10", "k9").encode(),
]


def _known(found: Experiments) -> None:
    found.check(("floor", "k10", "k20", "k50"), ("made",), ("guided",))


class File(RuleBasedStateMachine):
    """The file is written, cut, swapped, removed. In force: always the last good one that was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="promise-fuzz-")
        self.file = Path(self.folder.name) / "experiments.yaml"
        self.content: bytes | None = GOOD[0].encode()
        self.file.write_bytes(GOOD[0].encode())
        self.live = LiveExperiments(self.file, _known)
        self.expected = "one"

    @rule(content=st.sampled_from([text.encode() for text in GOOD] + BAD) | st.binary(max_size=20), swap=st.booleans())
    def write(self, content: bytes, swap: bool) -> None:
        """In place, or by a new file in its place."""
        if swap or self.content is None:
            (self.file.parent / "new").write_bytes(content)
            os.replace(self.file.parent / "new", self.file)
        else:
            self.file.write_bytes(content)
        self.content = content

    @precondition(lambda self: self.content is not None)
    @rule()
    def remove(self) -> None:
        self.file.unlink()
        self.content = None

    @rule()
    def look(self) -> None:
        before, is_new = self.live.current, self.live.refresh()
        assert is_new == (self.live.current is not before)
        try:
            found = None if self.content is None else Experiments.parse(self.content.decode("utf-8-sig"))
            if found is not None:
                _known(found)
        except (ExperimentsError, UnicodeDecodeError):
            found = None
        assert (self.live.last_error is None) == (found is not None)
        if found is not None:
            self.expected = found.experiments[0].name if found.experiments else ""

    @invariant()
    def the_last_good_one_is_in_force(self) -> None:
        found = self.live.current.experiments
        assert (found[0].name if found else "") == self.expected

    def teardown(self) -> None:
        self.folder.cleanup()


@pytest.mark.parametrize("machine", [Places, File])
def test_in_any_order(machine: type[RuleBasedStateMachine], pytestconfig: pytest.Config) -> None:
    run_state_machine_as_test(machine, settings=chosen(pytestconfig, 6, 0.01, steps=20))


def test_a_breaker_spares_a_broken_store_and_finds_it_again(pytestconfig: pytest.Config) -> None:
    """One command every 10 ms over spells of working and failing: few reach a store that fails, all one that works."""

    def check(spells: list[tuple[bool, int]]) -> None:
        breaker, now = Breaker(FAILURES, 10.0, PAUSE_S, LONGEST_S, lambda: 0.5), 0.0
        for works, ticks in [*spells, (True, 300)]:
            reached = 0
            for _ in range(ticks):
                now += 0.01
                ticket = breaker.allow() or breaker.probe(now)
                reached += bool(ticket)
                (breaker.success if works else breaker.failure)(ticket, now)
            if not works:  # what it takes to open after as many successes, then a probe after each pause
                assert reached <= FAILURES + 1 + ticks * 0.01 / (0.9 * PAUSE_S) + 1
        assert breaker.state == "closed"

    Bulk(pytestconfig)(15, 0.01, st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=6), check)
