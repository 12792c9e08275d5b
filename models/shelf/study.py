"""Measure every strategy over a bundle's held-out users; what is kept is not measured again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.data import DataError
from models.dataset import Cases, Dataset
from models.evaluation.counting import Counting
from models.evaluation.ranking import Method
from models.evaluation.shelved import definition, method
from models.evaluation.sweeping import Sweeper
from models.full_ranking import newest
from models.judging import audit
from models.manifest import Manifest, Walk
from models.metrics import F32
from models.results import ResultsError
from models.scaling.flops import Heads
from models.shelf.kept import Measured, Store, key, relevant
from models.shelf.settings import Family, Setting, families
from models.shelf.settings import chosen as named
from models.shelf.work import Spent
from models.training import Log

Data = Callable[[Manifest], Dataset]
TOGETHER = 6  # settings measured in one go: what a cut loses
TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True)
class Subject:
    """A bundle, whose users judge it, how many (seeded sample, 0 = all), and the strategies, all where none is named.

    `timed` of the users run alone, all settings in turns. `walk` routes requests: the bundle's own where it is None.
    """

    name: str
    bundle: Path
    cases: str = TEST
    users: int = 6000
    timed: int = 200
    strategies: tuple[str, ...] = ()
    walk: Walk | None = None


@dataclass(frozen=True)
class Shelf:
    """What was measured of one subject, by strategy; `mute`: those that need votes, which the bundle has not."""

    subject: Subject
    families: Mapping[str, Family]
    measured: Mapping[str, Sequence[Measured]]
    mute: tuple[str, ...] = ()

    def of(self, strategy: str) -> Sequence[Measured]:
        """Every setting of a strategy; empty where it was not measured."""
        return self.measured.get(strategy, ())


class Bench:
    """One subject's bundle and users, and where its measurements are kept.

    Raises:
        DataError: the data is not what the bundle was trained on, or it was trained on these cases.
    """

    def __init__(self, subject: Subject, data: Data, folder: Path, log: Log) -> None:
        self.subject, self.log = subject, log
        self.sweeper = Sweeper(subject.bundle)
        self.manifest = self.sweeper.manifest
        self.cases = _cases(subject, self.manifest, data(self.manifest), self.sweeper)
        self.store = Store(folder / subject.name)
        self.sizes, self.heads = self.sweeper.sizes(), _heads(self.manifest)

    def run(self) -> Shelf:
        """Measure what is missing, then time everything where anything was."""
        wanted = named(families(self.manifest.depth), self.subject.strategies)
        found = [family for family in wanted if self.heads or not family.votes]
        settings = [(setting, family.votes) for family in found for setting in family.settings]
        made_of = {setting: self._made_of(setting, votes) for setting, votes in settings}
        missing = [setting for setting, _ in settings if self.store.load(setting, made_of[setting]) is None]
        for start in range(0, len(missing), TOGETHER):
            self._measure(missing[start : start + TOGETHER], made_of)
        times = self._times(made_of)
        measured = {x.strategy: [self._read(s, made_of[s], times[s]) for s in x.settings] for x in found}
        mute = tuple(family.strategy for family in wanted if family not in found)
        return Shelf(self.subject, {x.strategy: x for x in found}, measured, mute)

    def _read(self, setting: Setting, made_of: str, ms: F32) -> Measured:
        found = self.store.load(setting, made_of)
        if found is None:
            raise ResultsError(f"{self.store.folder}: {setting.name} was measured, and cannot be read back")
        return replace(found, result=replace(found.result, ms=ms))

    def _method(self, setting: Setting) -> Method:
        return method(setting, self.manifest, self.subject.walk or self.manifest.auto)

    def _made_of(self, setting: Setting, votes: bool) -> str:
        subject, files = self.subject, relevant(self.manifest.files, votes)
        return key(files, subject.cases, subject.users, definition(self._method(setting)))

    def _measure(self, settings: Sequence[Setting], made_of: Mapping[Setting, str]) -> None:
        counting = Counting(self.sweeper.engine)
        methods = [self._method(setting) for setting in settings]
        results = self.sweeper.rank(methods, *self.cases, counting)
        limit = self.sweeper.engine.history_limit
        lengths = np.bincount([len(history) for history in newest(self.cases.histories, limit)])
        requests = {int(length): int(lengths[length]) for length in np.flatnonzero(lengths)}
        for setting, result in zip(settings, results, strict=True):
            spent = Spent.of(counting.counts[setting.name], requests, self.sizes, self.heads)
            self.store.save(Measured(setting, result, spent), made_of[setting])
            self.log(f"{self.subject.name}: {setting.name}, N@10 {result.ndcg(10):.4f}, {spent.work.total / 1e6:.1f} M")

    def _times(self, made_of: Mapping[Setting, str]) -> dict[Setting, F32]:
        settings, every = list(made_of), key(sorted(made_of.values()), self.subject.timed)
        times = self.store.times(settings, every)
        if times is None:
            methods = [self._method(setting) for setting in settings]
            times = self.sweeper.timings(*self.cases, methods, self.subject.timed)
            self.store.save_times(settings, times, every)
            self.log(f"{self.subject.name}: {len(settings)} settings timed")
        return dict(zip(settings, times, strict=True))


def _cases(subject: Subject, manifest: Manifest, data: Dataset, sweeper: Sweeper) -> Cases:
    if subject.cases == VALIDATION and manifest.setting != "A":
        raise DataError(f"{subject.bundle} was trained on the validation items; only setting A holds them out")
    catalogue = sweeper.bundle.catalogue
    audit(manifest, catalogue.ids, catalogue.popularity, data)
    split = data.split("A" if manifest.setting == "A" else "B")
    cases = split.test if subject.cases == TEST else split.validation
    rows = np.sort(np.random.default_rng(0).permutation(len(cases.targets))[: subject.users or None])
    return Cases([cases.histories[row] for row in rows], cases.targets[rows])


def _heads(manifest: Manifest) -> Heads | None:
    if manifest.votes is None:
        return None
    made = manifest.provenance.recipe.get("votes") or {}
    return Heads(manifest.votes.heads, int(made.get("rank", 16)))
