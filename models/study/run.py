"""Train, export and judge the arms of a study; every step leaves its result and is skipped when it is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models import contract, evaluation, export, pipeline, results
from models.advance import Advance, counted, unwatched
from models.dataset import Dataset, Split
from models.evaluation import Method
from models.listing import listing
from models.manifest import Manifest, Scoring
from models.network import Promise
from models.results import Result
from models.study.arms import Arm, StudyError, chosen
from models.study.facts import Facts, facts_of
from models.study.second import second_stage
from models.training import Log

USERS = 0
BEAM, GUIDED, FUSED, EXACT = "beam50", "guided 50/200", "guided 50/200 + log π", "exact"


@dataclass(frozen=True)
class Judged:
    """What an arm did for the validation users: the plain beam, the guided search by each rule, the exact scan.

    `facts`: of the labels it learned from.
    """

    arm: Arm
    results: list[Result]
    facts: Facts = field(default_factory=Facts)

    def of(self, method: str) -> Result:
        """The result of this method.

        Raises:
            StudyError: the arm was not judged by it.
        """
        found = [result for result in self.results if result.method == method]
        if not found:
            raise StudyError(f"{self.arm.name} was not judged by '{method}'")
        return found[0]


def study(
    name: str,
    arms: Sequence[Arm],
    dataset: Dataset,
    folder: Path,
    log: Log,
    *,
    users: int = USERS,
    only: Sequence[str] = (),
    advance: Advance = unwatched,
) -> list[Judged]:
    """The arms of a study, or those named in `only`, trained in setting A under `folder`/`name`/arm and judged there.

    Judged on a seeded sample of `users` validation users (0 = all), the same for every arm, so that arms pair.

    Raises:
        StudyError: arms share a name, or `only` names none of them.
        RunError: the folder of an arm holds the work of another recipe or other data.
    """
    found = []
    for arm in chosen(arms, only):

        def say(line: str, who: str = arm.name) -> None:
            log(f"{who}: {line}")

        def at(what: str, done: int, total: int, who: str = arm.name) -> None:
            advance(f"{who}: {what}", done, total)

        run = pipeline.Run(dataset, arm.recipe, folder / name / arm.name, "study", say, at)
        found.append(judge(arm, run, users))
    return found


def judge(arm: Arm, run: pipeline.Run, users: int) -> Judged:
    """One arm, from the data to per-user results on validation users."""
    pipeline.claim(run, run.stage("A", "inner" if arm.trunk else "promise"), "A")
    split, methods = run.split("A"), methods_of(arm)
    cases, file = sample(split, users), run.folder / f"validation-{users}.npz"
    if file.exists() and [result.method for result in results.load(file)] == [method.name for method in methods]:
        return Judged(arm, results.load(file), facts_of(run, arm, split))
    engine = evaluation.open_engine(bundle(run, split, arm), torch.get_num_threads())
    found = evaluation.evaluate_engine(
        engine,
        engine.trie,
        engine.bundle.catalogue.sids,
        [split.validation.histories[user] for user in cases],
        split.validation.targets[cases],
        methods,
        history_limit=engine.history_limit,
        timed=0,
        progress=counted(run.advance, "validation users", len(cases)),
    )
    results.save(found, file)
    run.log(" ".join(f"{result.method} {result.ndcg(10):.4f}" for result in found))
    return Judged(arm, found, facts_of(run, arm, split))


def methods_of(arm: Arm) -> list[Method]:
    """Plain beam 50, guided 50/200 by the reward alone and, where the arm asks, by the sum, and the exact scan."""
    depth = arm.recipe.tokenizer.depth
    plain, scan = (method for method in evaluation.methods_default(depth) if method.name in (BEAM, EXACT))
    alone = evaluation.guided(depth, 50, 200)
    fused = evaluation.guided(depth, 50, 200, evaluation.rule_of(Scoring(leaf=1, prefix=1)))
    return [plain, alone, *([replace(fused, name=FUSED)] if arm.fused else []), scan]


def sample(split: Split, users: int) -> NDArray[np.intp]:
    """Ascending indices of a seeded sample of the validation users; all with 0."""
    return np.sort(np.random.default_rng(0).permutation(len(split.validation.targets))[: users or None])


def bundle(run: pipeline.Run, split: Split, arm: Arm | None = None) -> Path:
    """The folder of the bundle of setting A, trained and written unless it is there; `arm` may say on what trunk."""
    folder = run.bundle("A", "inner")
    if not (folder / contract.MANIFEST).exists():
        network, progress = second_stage(run, arm, split) if arm and arm.trunk else pipeline.fit(run, "A", None)
        if not isinstance(network, Promise):
            raise StudyError(f"{run.folder}: only the product's network has a bundle")
        write(run, network, split, folder, progress.best_epoch)
    return folder


def write(run: pipeline.Run, network: Promise, split: Split, folder: Path, epochs: int) -> Manifest:
    """Export a trained arm."""
    return export.write_bundle(
        folder,
        network,
        "inner",
        listing(run.dataset, split),
        run.provenance(split, epochs),
        name=f"{run.dataset.name}-{run.recipe.name}",
        version=run.version,
        setting="A",
        scoring=Scoring(leaf=0, prefix=0),
        metrics={},
    )
