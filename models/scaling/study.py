"""The whole study from bundles: which are swept, what is missing, tables and charts of what is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models import contract
from models.data import DataError
from models.dataset import Dataset
from models.evaluation.sweeping import Sweeper
from models.judging import data_of
from models.manifest import Manifest
from models.results import ResultsError
from models.scaling import facts, sizes
from models.scaling.sweep import Data, Sample, Subject, Swept, sweep
from models.scaling.ways import Widths
from models.tokenizer import SemanticIds
from models.training import Log
from models.world.data import make_dataset
from models.world.items import Habits, WorldRecipe

WIDTHS, DEPTHS = ("k20", "k100", "k200"), ("level-1", "level-2", "level-3")
WORLD_TIER: Widths = ((50, 200), (150, 3200), (50, 3200))  # of 1 M items: chosen on users that are not judged here
SMALL, HALF, MIDDLE, SPORTS, WORLD = "small", "half", "middle", "sports", "world"


@dataclass(frozen=True)
class Report:
    """What was swept, by name, and a sentence for every bundle that was not there."""

    found: dict[str, Swept]
    missing: list[str] = field(default_factory=list)

    def some(self, *names: str) -> list[Swept]:
        """Those of these names that were swept."""
        return [self.found[name] for name in names if name in self.found]


def subjects(run: Path, shipped: Path, sports: Path, world: Path) -> list[Subject]:
    """The bundles of the study; the smaller sizes are under `run`/<size>/bundle-B-inner (models.scaling.sizes)."""
    small, half = (run / name / "bundle-B-inner" for name in (SMALL, HALF))
    return [
        Subject(MIDDLE, shipped, ("peers", "corrected", "k10", "k50", "beams", "depths", *WIDTHS, *DEPTHS)),
        Subject(SMALL, small, ("peers", "k10", "k50", "beams")),
        Subject(HALF, half, ("peers", "k10", "k50", "beams")),
        Subject(SPORTS, sports, ("peers", "corrected", "k10", "k50", "depths", "beams")),
        Subject(WORLD, world, ("peers", "k10", "k50", "k200", "depths", "beams"), WORLD_TIER, listed=True),
    ]


def chosen(wanted: Sequence[Subject], names: Sequence[str], groups: Sequence[str]) -> list[Subject]:
    """The subjects of these names with these groups alone; all where none is named.

    Raises:
        ResultsError: no subject has one of the names, or no subject one of the groups.
    """
    known, measured = [subject.name for subject in wanted], {group for subject in wanted for group in subject.groups}
    for given, there in ((names, known), (groups, sorted(measured))):
        unknown = [name for name in given if name not in there]
        if unknown:
            raise ResultsError(f"the study knows no '{unknown[0]}': {', '.join(there)}")
    some = [subject for subject in wanted if not names or subject.name in names]
    return [replace(x, groups=tuple(group for group in x.groups if not groups or group in groups)) for x in some]


def train(run: Path, shipped: Path, data_dir: Path, log: Log) -> None:
    """Train the sizes that are missing under `run`, on the shipped bundle's data and semantic IDs."""
    known = Sweeper(shipped)
    codes = known.bundle.catalogue.sids.astype(np.int32)
    sids = SemanticIds(codes, 0, known.manifest.codebook)
    dataset = data_of(known.manifest, "", data_dir)
    for recipe in sizes.sizes():
        sizes.train(recipe, dataset, sids, run, partial(_prefixed, log, recipe.name))


def _prefixed(log: Log, name: str, line: str) -> None:
    log(f"{name}: {line}")


def study(wanted: Sequence[Subject], run: Path, data: Data, samples: Callable[[str], Sample], log: Log) -> Report:
    """Sweep what is there; what is kept under `run`/results is not measured again. `samples`: by subject."""
    report = Report({})
    for subject in wanted:
        folder = run / "results" / subject.name
        if not (subject.bundle / contract.MANIFEST).exists() and not (folder / facts.FILE).exists():
            report.missing.append(f"{subject.name}: no bundle at {subject.bundle}, so it is left out.")
            continue
        try:
            report.found[subject.name] = sweep(subject, data, folder, samples(subject.name), log)
        except (DataError, ResultsError) as error:
            report.missing.append(f"{subject.name}: {error}.")
    return report


class Datasets:
    """What bundles were trained on, made or read once for those that follow each other."""

    def __init__(self, folder: Path, log: Log) -> None:
        self.folder, self.log = folder, log
        self.last: tuple[str, Dataset] | None = None

    def of(self, manifest: Manifest) -> Dataset:
        made = manifest.provenance
        if self.last is None or self.last[0] != made.dataset_digest:
            self.log(f"reading {made.dataset}")
            world = made.recipe.get("world")
            found = make_dataset(world_recipe(world)) if world else data_of(manifest, "", self.folder)
            self.last = made.dataset_digest, found
        return self.last[1]


def world_recipe(fields: dict[str, Any]) -> WorldRecipe:
    """A world's recipe as its manifest keeps it."""
    return WorldRecipe(**(fields | {"habits": Habits(**fields["habits"])}))
