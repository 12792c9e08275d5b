"""What becomes of a strategy: its setting is chosen on validation users, test users judge it at equal compute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.metrics import Interval, paired_bootstrap
from models.results import ResultsError
from models.shelf import control
from models.shelf.control import COSTS
from models.shelf.kept import Measured
from models.shelf.settings import DEFAULT, GUIDED
from models.shelf.study import Shelf


@dataclass(frozen=True)
class Judgement:
    """By one kind of cost: the setting, what it gained on validation users, and on test users by subject."""

    setting: str
    validation: Interval
    tests: Mapping[str, Interval]

    @property
    def kept(self) -> bool:
        """Surely better for some test users, and surely worse for none."""
        tests = self.tests.values()
        return any(pair.low > 0 for pair in tests) and all(pair.high >= 0 for pair in tests)


@dataclass(frozen=True)
class Verdict:
    """A strategy at equal FLOP and at equal milliseconds."""

    strategy: str
    expected: str
    by: Mapping[str, Judgement]

    @property
    def kept(self) -> bool:
        """By either cost."""
        return any(judged.kept for judged in self.by.values())


@dataclass(frozen=True)
class Standing:
    """A setting among all others of a subject: those of no more cost that are surely better (paired N@10)."""

    setting: str
    beaten_by: tuple[str, ...]


def verdicts(validation: Shelf, tests: Sequence[Shelf]) -> list[Verdict]:
    """Of every strategy that was measured on both; guided search is what they are compared with."""
    return [
        Verdict(name, family.expected, {cost: _judge(name, cost, validation, tests) for cost in COSTS})
        for name, family in validation.families.items()
        if name != GUIDED and all(test.of(name) for test in tests)
    ]


def _judge(strategy: str, cost: str, validation: Shelf, tests: Sequence[Shelf]) -> Judgement:
    gains = {one.setting.name: gain(one, validation, cost) for one in validation.of(strategy)}
    best = max(gains, key=lambda name: gains[name].difference)
    return Judgement(
        best, gains[best], {test.subject.name: gain(find(test, strategy, best), test, cost) for test in tests}
    )


def gain(one: Measured, shelf: Shelf, cost: str) -> Interval:
    """Of a setting over guided search at its cost."""
    return control.gain(one, shelf.of(GUIDED), COSTS[cost])


def find(shelf: Shelf, strategy: str, name: str) -> Measured:
    """One setting.

    Raises:
        ResultsError: it was not measured.
    """
    found = [one for one in shelf.of(strategy) if one.setting.name == name]
    if not found:
        raise ResultsError(f"{shelf.subject.name}: {name} was not measured")
    return found[0]


def standing(shelf: Shelf, cost: str, setting: str = f"{GUIDED} {DEFAULT}") -> Standing:
    """Is a setting, the default tier unless told otherwise, on the frontier of all that was measured?"""
    one = find(shelf, setting.partition(" ")[0], setting)
    others = [other for strategy in shelf.measured for other in shelf.of(strategy) if other is not one]
    spends = COSTS[cost]
    cheap = [other for other in others if spends(other) <= spends(one)]
    better = [o for o in cheap if paired_bootstrap(control.quality(o), control.quality(one), seed=0).low > 0]
    return Standing(setting, tuple(other.setting.name for other in better))


def frontier(shelf: Shelf, cost: str) -> list[Measured]:
    """The settings of all strategies that no cheaper one equals, cheapest first."""
    return control.frontier([one for strategy in shelf.measured for one in shelf.of(strategy)], COSTS[cost])
