"""An exposure is written for the experiments that could have acted, by one rule for all of their buckets."""

import asyncio

import pytest

from service.experiments.acting import FORCED, Acting
from service.experiments.assignment import Assignments, assign
from service.experiments.config import Experiments
from service.experiments.events import MemoryLog
from service.experiments.exposures import Exposures

FILE = """
experiments:
  - name: budget
    buckets: [{name: control, weight: 0.5}, {name: deep, weight: 0.5, tier: k100}]
  - name: plan
    buckets: [{name: guided, weight: 0.5}, {name: plain, weight: 0.5, strategy: beam}]
  - name: same
    buckets: [{name: a, weight: 0.5}, {name: b, weight: 0.5}]
"""
ALL = {"budget", "plan", "same"}


class World:
    def __init__(self) -> None:
        self.experiments = Experiments.parse(FILE)
        self.log = MemoryLog()
        self.counted: list[tuple[str, str]] = []
        exposures = Exposures(self.log)
        self.acting = Acting(
            lambda: self.experiments, exposures, lambda user: f"unit of {user}", lambda *one: self.counted.append(one)
        )

    def exposed(
        self, user: str, closed: frozenset[str] = frozenset(), header: str | None = None, reason: str = "best"
    ) -> set[str]:
        """Experiments that counted this request."""
        before = len(self.counted)
        assignments = assign(self.experiments, user, header)
        self.acting.expose(assignments, closed, user, "a-request", "k50", reason, degraded=False)
        return {experiment for experiment, _ in self.counted[before:]}


@pytest.fixture
def world() -> World:
    return World()


def test_every_experiment_counts_where_the_caller_left_everything_open(world: World) -> None:
    assert world.exposed("ann") == ALL
    assert world.exposed("ann") == set()  # once a day
    assert world.exposed("bob") == ALL


@pytest.mark.parametrize(("closed", "left"), [("budget", {"plan", "same"}), ("strategy", {"budget", "same"})])
def test_what_the_caller_chose_no_bucket_could(world: World, closed: str, left: set[str]) -> None:
    """Of every user alike, whichever bucket they are in: else the arms would be counted by different rules."""
    for user in range(40):
        assert world.exposed(f"user-{user}", frozenset({closed})) == left


def test_a_bucket_from_the_header_is_never_counted(world: World) -> None:
    assert world.exposed("ann", header="deep") == {"plan", "same"}
    assert world.exposed("ann", header="budget=control, plain, same=a") == set()


def test_an_experiment_that_left_the_file_is_not_counted(world: World) -> None:
    assignments = assign(world.experiments, "ann", None)
    world.experiments = Experiments()
    world.acting.expose(assignments, frozenset(), "ann", "a-request", "k50", "best", degraded=False)
    assert world.counted == []


@pytest.mark.parametrize("reason", ["best", "difficulty", *sorted(FORCED)])
def test_tiers_that_no_bucket_had_a_say_in_are_marked(world: World, reason: str) -> None:
    world.exposed("ann", reason=reason)
    events, _ = asyncio.run(world.log.read())
    assert {event["forced_same"] for event in events} == {reason in FORCED}
    assert {event["unit"] for event in events} == {"unit of ann"}


def test_nobody_is_exposed_without_experiments(world: World) -> None:
    world.acting.expose(Assignments(), frozenset(), "ann", "a-request", "k50", "best", degraded=False)
    assert world.counted == []
