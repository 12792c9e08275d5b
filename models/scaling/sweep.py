"""Measure a bundle's ways to search over its test users, group by group; what is kept is not measured again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models import results
from models.dataset import Dataset
from models.evaluation.sweeping import Sweeper
from models.judging import Cases, audit, held_out
from models.manifest import Manifest
from models.metrics import F64
from models.results import Result
from models.scaling import facts
from models.scaling.facts import Facts
from models.scaling.ways import ANEW, PEERS, SOME, Way, Widths, groups
from models.training import Log

KEPT = "kept.npz"
Data = Callable[[Manifest], Dataset]


@dataclass(frozen=True)
class Sample:
    """Test users judged, seeded, 0 = all: of every group, and of SOME, whose differences are small; `timed` of them
    one at a time.
    """

    users: int = 3000
    more: int = 10_000
    timed: int = 30

    def of(self, group: str) -> int:
        return self.more if group == SOME else self.users

    def file(self, folder: Path, group: str) -> Path:
        return folder / f"{group}-{self.of(group)}.npz"


@dataclass(frozen=True)
class Subject:
    """A bundle to sweep. `default`: its default tier where the manifest names none; `listed`: compare lists with the
    scan's, item by item.
    """

    name: str
    bundle: Path
    groups: tuple[str, ...]
    default: Widths = ()
    listed: bool = False


@dataclass(frozen=True)
class Swept:
    """What was measured of one bundle; `kept`: share [U] of the scan's ten in a way's ten, by way."""

    name: str
    facts: Facts
    ways: Mapping[str, list[Way]]
    results: Mapping[str, Mapping[str, Result]]
    kept: Mapping[str, F64] = field(default_factory=dict)

    def of(self, group: str) -> list[tuple[Way, Result]]:
        """The ways of a group with their results, in order; empty where the group was not measured."""
        found = self.results.get(group, {})
        return [(way, found[way.name]) for way in self.ways.get(group, ()) if way.name in found]


def sweep(subject: Subject, data: Data, folder: Path, sample: Sample, log: Log) -> Swept:
    """Measure what is missing under `folder`, and read everything back.

    Raises:
        DataError: the data is not what the bundle was trained on.
        ResultsError: the folder holds what was measured of another bundle.
    """
    if not subject.bundle.exists():
        return load(subject.name, folder, subject.groups, sample)
    sweeper = Sweeper(subject.bundle)
    manifest, catalogue = sweeper.manifest, sweeper.bundle.catalogue
    if _missing(subject, sweeper, folder, sample):
        dataset = data(manifest)
        audit(manifest, catalogue.ids, catalogue.popularity, dataset)
        now = _facts(sweeper, subject, dataset)
        for file in _outdated(now, folder, sample):
            file.unlink(missing_ok=True)
        facts.save(now, folder)
        for group, ways in _ways(subject.groups, facts.load(folder)).items():
            if not sample.file(folder, group).exists():
                _measure(sweeper, group, ways, held_out(dataset, manifest.setting, sample.of(group)), folder, sample)
                log(f"{subject.name}: {group}, {len(ways)} ways")
        if subject.listed and not (folder / KEPT).exists():
            _compare(sweeper, held_out(dataset, manifest.setting, sample.users), folder)
    return load(subject.name, folder, subject.groups, sample)


def load(name: str, folder: Path, wanted: Sequence[str], sample: Sample) -> Swept:
    """What is kept of these groups.

    Raises:
        ResultsError: there are no facts, or a file is damaged.
    """
    found, ways = facts.load(folder), _ways(wanted, facts.load(folder))
    files = {group: sample.file(folder, group) for group in ways if sample.file(folder, group).exists()}
    measured = {group: {result.method: result for result in results.load(file)} for group, file in files.items()}
    kept: dict[str, F64] = {}
    if (folder / KEPT).exists():
        with np.load(folder / KEPT) as stored:
            kept = {name: stored[name] for name in stored.files}
    return Swept(name, found, ways, measured, kept)


def _ways(wanted: Sequence[str], known: Facts) -> dict[str, list[Way]]:
    wanted = [group for group in wanted if group != ANEW or known.sizes.correction]
    return groups(wanted, known.sizes.depth, known.sizes.items, known.default)


def _missing(subject: Subject, sweeper: Sweeper, folder: Path, sample: Sample) -> bool:
    """Is a group not measured yet, or not of this bundle as it is now?"""
    if not (folder / facts.FILE).exists():
        return True
    known = facts.load(folder)
    if known.files != sweeper.manifest.files or known.default != (subject.default or sweeper.default()):
        return True
    files = [sample.file(folder, group) for group in _ways(subject.groups, known)]
    return not all(file.exists() for file in [*files, *([folder / KEPT] if subject.listed else [])])


def _facts(sweeper: Sweeper, subject: Subject, dataset: Dataset) -> Facts:
    manifest, default = sweeper.manifest, subject.default or sweeper.default()
    return facts.facts_of(manifest, sweeper.sizes(), held_out(dataset, manifest.setting), default)


def _outdated(now: Facts, folder: Path, sample: Sample) -> list[Path]:
    """Files that were measured with another correction or another default tier."""
    if not (folder / facts.FILE).exists():
        return []
    before = facts.load(folder)
    tier, corrected = sample.file(folder, PEERS), sample.file(folder, ANEW)
    anew = any(before.files.get(name) != now.files.get(name) for name in facts.OTHERS)
    return [tier, corrected, folder / KEPT] if before.default != now.default else [corrected] * anew


def _measure(sweeper: Sweeper, group: str, ways: Sequence[Way], cases: Cases, folder: Path, sample: Sample) -> None:
    found = sweeper.judge(ways, cases.histories, cases.targets, sample.timed)
    results.save(found, sample.file(folder, group))


def _compare(sweeper: Sweeper, cases: Cases, folder: Path) -> None:
    ways = _ways((PEERS,), facts.load(folder))[PEERS]
    kept = sweeper.kept(ways, cases.histories, cases.targets)
    np.savez(folder / KEPT, allow_pickle=False, **kept)
