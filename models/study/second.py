"""The second stage of an arm: a PRM of its own on the finished generator of another arm of the same study."""

from dataclasses import replace

import numpy as np
import torch

from models import pipeline
from models.dataset import Split
from models.network import Promise
from models.recipe import Recipe
from models.study.arms import Arm, StudyError
from models.training import Progress
from models.two_stages import fit_inner

JUDGE = Recipe().training  # a judge only ranks: nothing of how it was trained matters


def second_stage(run: pipeline.Run, arm: Arm, split: Split) -> tuple[Promise, Progress]:
    """Train the arm's PRM, selected on validation, where its recipe lets it.

    Raises:
        StudyError: the trunk or the judge is not finished, or they have other semantic IDs.
    """
    torch.manual_seed(run.recipe.training.seed)
    network = _loaded(run, run.recipe, arm.trunk, "last.pt")
    judge = finished(run, replace(run.recipe, training=JUDGE), arm.judge) if arm.judge else None
    if judge is not None and not torch.equal(judge.catalogue.sids, network.catalogue.sids):
        raise StudyError(f"the judge '{arm.judge}' has other semantic IDs than '{arm.trunk}'")
    validation = (split.validation.histories, split.validation.targets)
    folder = run.stage("A", "inner")
    return network, fit_inner(network, run.recipe, folder, run.log, split.train, validation, judge=judge)


def finished(run: pipeline.Run, recipe: Recipe, name: str) -> Promise:
    """The network of a jointly trained arm of the same study, as validation left it; StudyError before it is there."""
    return _loaded(run, recipe, name, "best.pt")


def _loaded(run: pipeline.Run, recipe: Recipe, name: str, file: str) -> Promise:
    stage = replace(run, folder=run.folder.parent / name).stage("A")
    if not (stage / file).exists():
        raise StudyError(f"{stage} holds no {file}: train the arm '{name}' first")
    with np.load(stage / "sids.npz") as stored:
        codes = stored["codes"]
    network = Promise(codes, recipe.tokenizer.codebook, run.dataset.items.text, recipe.network, recipe.training)
    state = torch.load(stage / file, weights_only=True)
    network.load_state_dict(state.get("model", state))
    return network
