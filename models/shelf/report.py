"""The whole study from bundles: a validation subject, the test subjects, further seeds; what is missing is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models import contract
from models.data import DataError
from models.manifest import Manifest
from models.results import ResultsError
from models.shelf.seeds import Headline, headline
from models.shelf.study import VALIDATION, Bench, Data, Shelf, Subject
from models.shelf.verdicts import Verdict, verdicts
from models.training import Log

HEADLINES = ("refine", "backtrack")  # more passes against a wider one


@dataclass(frozen=True)
class Report:
    """What was measured: the users that choose, those that judge, the judging bundle's other seeds."""

    validation: Shelf
    tests: Sequence[Shelf]
    seeds: Sequence[Shelf] = ()
    missing: list[str] = field(default_factory=list)

    @property
    def verdicts(self) -> list[Verdict]:
        """Of every strategy but the control."""
        return verdicts(self.validation, self.tests)

    @property
    def headlines(self) -> list[Headline]:
        """HEADLINES at the settings that validation users chose, over all seeds; empty where there is one seed."""
        every = [*self.tests[-1:], *self.seeds]
        chosen = [verdict for verdict in self.verdicts if verdict.strategy in HEADLINES and self.seeds]
        return [
            headline(every, verdict.strategy, judged.setting, cost)
            for verdict in chosen
            for cost, judged in verdict.by.items()
        ]


@dataclass(frozen=True)
class Sample:
    """Test users that judge, validation users that choose (0 = all), and how many of either run alone."""

    judging: int = 4000
    choosing: int = 6000
    timed: int = 200


def subjects(
    a: Path, b: Path, others: Sequence[Path], router: Path, sample: Sample, strategies: Sequence[str]
) -> tuple[Subject, list[Subject], list[Subject]]:
    """Who chooses, who judges, and the further seeds of the last judge, which run only what the headline compares.

    router: a bundle with the semantic IDs of the first seed, whose walk routes requests; where there is none, a
    bundle's own does.
    """
    file = router / contract.MANIFEST
    walk = Manifest.model_validate_json(file.read_bytes()).auto if file.exists() else None
    common = Subject("a", a, users=sample.judging, timed=sample.timed, strategies=tuple(strategies), walk=walk)
    more = [
        replace(common, name=f"b-seed-{number}", bundle=bundle, strategies=HEADLINES, walk=None)
        for number, bundle in enumerate(others, 1)
    ]
    chooser = replace(common, name="a-validation", cases=VALIDATION, users=sample.choosing)
    return chooser, [common, replace(common, name="b", bundle=b)], more


def report(
    chooser: Subject, judges: Sequence[Subject], more: Sequence[Subject], data: Data, folder: Path, log: Log
) -> Report:
    """Measure what is not kept under `folder`; subjects whose bundle is missing are left out and named.

    Raises:
        ResultsError: the bundle whose users choose is missing.
        DataError: its data is not what it was trained on.
    """
    missing: list[str] = []
    validation = Bench(_there(chooser), data, folder, log).run()
    tests, seeds = ([x for y in group if (x := _tried(y, data, folder, log, missing))] for group in (judges, more))
    mute = [shelf for shelf in (validation, *tests) if shelf.mute]
    missing += [f"{shelf.subject.name}: no votes, so without {' and '.join(shelf.mute)}" for shelf in mute]
    return Report(validation, tests, seeds, missing)


def _there(subject: Subject) -> Subject:
    if not (subject.bundle / contract.MANIFEST).exists():
        raise ResultsError(f"{subject.name}: no bundle at {subject.bundle}")
    return subject


def _tried(subject: Subject, data: Data, folder: Path, log: Log, missing: list[str]) -> Shelf | None:
    try:
        return Bench(_there(subject), data, folder, log).run()
    except (DataError, ResultsError) as error:
        missing.append(f"{error}; left out")
        return None
