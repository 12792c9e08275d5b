"""The study of votes: quality and calibration by their number, and whether what they differ in foretells errors.

Everything is fitted to, and every predictor chosen on, validation users of setting A; the figures are of test users of
setting B. The two errors were named before any test user was looked at: the best prefix of depth 1 is not the true one;
the true item is not among the first ten of the exact ranking.
"""

import json
from pathlib import Path

import numpy as np

from models import contract, pipeline
from models.dataset import Cases, Dataset
from models.manifest import Manifest
from models.network import Promise
from models.recipe import Recipe, VotesRecipe, named
from models.runs import Run, Setting
from models.training import Log
from models.votes.adding import add_votes
from models.votes.bundled import Calibrated
from models.votes.fitting import fitted
from models.votes.judging import Judged, judge

NAME = "votes"
VERSION = "2.1.0"


def run(
    dataset: Dataset, trained: Path, folder: Path, log: Log, users: int = 0, recipe: Recipe | None = None
) -> dict[Setting, Judged]:
    """Fit votes to the finished run in `trained`, write its bundles with them, and judge both settings.

    Its recipe is `best` unless told. Votes and bundles stay under `folder`; a second call judges only. Judged on a
    seeded sample of `users`, 0 = all.
    """
    run, found = Run(dataset, recipe or recipe_of(trained), trained, VERSION, log), dict[Setting, Judged]()
    settings: tuple[Setting, Setting] = ("A", "B")
    votes: Calibrated | None = None
    for setting in settings:
        network, votes = _voting(run, setting, folder, votes)
        split = run.split(setting)
        cases = sample(split.validation if setting == "A" else split.test, users)
        hot = found["A"].temperature if found else None
        found[setting] = judge(network, votes.model, folder / f"bundle-{setting}", cases, hot, log)
    return found


def recipe_of(trained: Path) -> Recipe:
    """The recipe best with the seed of this run."""
    note = trained / "promise-A" / "made-of.json"
    chosen = json.loads(note.read_text("utf-8"))["recipe"]
    return named("best").with_training(seed=chosen.get("training", {}).get("seed", 0))


def _voting(run: Run, setting: Setting, folder: Path, before: Calibrated | None) -> tuple[Promise, Calibrated]:
    """The finished network, its votes, and its bundle with them."""
    written = Manifest.model_validate_json((run.bundle(setting, "inner") / contract.MANIFEST).read_bytes())
    network, _ = pipeline.fit(run, setting, written.provenance.epochs if before else None)
    assert isinstance(network, Promise)
    recipe, seed, file = run.recipe.votes or VotesRecipe(), run.recipe.training.seed, folder / f"votes-{setting}.pt"
    hot = before.temperature if before else None
    votes = fitted(network.eval(), run.split(setting), recipe, file, seed, run.log, hot)
    bundle = folder / f"bundle-{setting}"
    if not bundle.exists():
        add_votes(run.bundle(setting, "inner"), bundle, votes, run.version)
    return network, votes


def sample(cases: Cases, count: int) -> Cases:
    """A seeded sample of cases, all with 0."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(cases.targets))[: count or None])
    return Cases([cases.histories[case] for case in chosen], cases.targets[chosen])
