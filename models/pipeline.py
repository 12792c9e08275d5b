"""From a dataset to a bundle: setting A selects on validation, setting B retrains for as long (data protocol).

Every stage leaves its result in the run folder and is skipped or resumed when it is already there. Several processes
(models.distributed) share the training of networks; the rest is the first one's.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models import contract, distributed, export
from models.correction.bundled import Corrected
from models.correction.fitting import fitted, relations_of
from models.correction.network import Correction
from models.dataset import Split
from models.listing import listing
from models.manifest import UNFINISHED, Manifest, Provenance, Scoring, Walk
from models.network import CrossStage, Promise
from models.own_users import choose_rule, on_test
from models.recipe import PrmForm, Recipe, differing
from models.runs import Run, RunError, Setting, claim
from models.sasrec import SASRec
from models.staging import replaced
from models.tokenizer import SemanticIds, item_vectors, tokenize
from models.training import Progress, Trainer
from models.two_stages import fit_inner
from models.votes import fitting as voting
from models.votes.bundled import Calibrated
from models.walk import TUNED

WALKED = ("floor", "k10", "k20", "k50", "k100")

__all__ = ["Run", "RunError", "Setting", "build", "build_baseline", "claim", "fit", "fit_cross", "semantic_ids"]


def semantic_ids(run: Run, setting: Setting) -> SemanticIds:
    """Tokenise from this setting's training interactions only; kept as sids.npz in the stage folder."""
    path, recipe = run.stage(setting) / "sids.npz", run.recipe.tokenizer
    if path.exists():
        with np.load(path) as stored:
            return SemanticIds(stored["codes"], int(stored["collisions"]), recipe.codebook)
    items, seed = run.dataset.items, run.recipe.training.seed
    vectors = item_vectors(recipe, run.split(setting).train, len(items.ids), items.text, seed)
    found = tokenize(vectors, recipe.depth, recipe.codebook, seed, recipe.balanced)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as partial:
        np.savez(partial, codes=found.codes, collisions=found.collisions)
    run.log(f"{setting}: semantic IDs " + " ".join(f"{k} {v:.3g}" for k, v in found.report().items()))
    return found


def fit(run: Run, setting: Setting, until: int | None, kind: str = "promise") -> tuple[nn.Module, Progress]:
    """Train the product's network or the baseline in one setting; validation is looked at in setting A only."""
    torch.manual_seed(run.recipe.training.seed)
    with distributed.first_then_others():
        claim(run, run.stage(setting, kind), setting, until)
        sids = None if kind == "sasrec" else semantic_ids(run, setting)
    split, items, sizes = run.split(setting), run.dataset.items, run.recipe.network
    if sids is None:
        model: nn.Module = SASRec(len(items.ids), items.text, sizes)
    else:
        trunk = sizes if "inner" not in sizes.prm else replace(sizes, prm=("inner",))
        model = Promise(sids.codes, run.recipe.tokenizer.codebook, items.text, trunk, run.recipe.training)
    folder = run.stage(setting, kind)

    def log(line: str) -> None:
        run.log(f"{kind}-{setting}: {line}")

    trainer = Trainer(model, run.recipe.training, sizes.history, folder, log, run.advance)
    validation = (split.validation.histories, split.validation.targets) if setting == "A" else None
    if isinstance(model, Promise) and run.recipe.training.stages == "two":
        trainer.fit(split.train, None, until)
        return model, fit_inner(model, run.recipe, run.stage(setting, "inner"), run.log, split.train, validation, until)
    return model, trainer.fit(split.train, validation, until)


def fit_cross(run: Run, setting: Setting, network: Promise) -> None:
    """Give a trained network the paper's PRM form as well, on its finished trunk."""
    with distributed.first_then_others():
        claim(run, run.stage(setting, "cross"), setting)
    torch.manual_seed(run.recipe.training.seed)
    recipe = replace(run.recipe.training, epochs=run.recipe.training.cross_epochs)

    def log(line: str) -> None:
        run.log(f"cross-{setting}: {line}")

    stage = CrossStage(network.eval())
    folder = run.stage(setting, "cross")
    Trainer(stage, recipe, run.recipe.network.history, folder, log, run.advance).fit(run.split(setting).train, None)


def fit_correction(run: Run, network: Promise) -> Correction | None:
    """What the network of setting A gets wrong about items it did not train on; None where the recipe has none."""
    recipe, split = run.recipe.correction, run.split("A")
    if recipe is None or run.recipe.tokenizer.depth == 1:
        return None  # one code is chosen on the host, where nothing is corrected
    file, seed = run.folder / "correction" / "correction.pt", run.recipe.training.seed
    return fitted(network, run.dataset, split, recipe, file, seed, run.log)


def fit_votes(run: Run, network: Promise, setting: Setting, like: Calibrated | None = None) -> Calibrated | None:
    """Bootstrap heads on the network of a setting; None where the recipe has none.

    `like`: the votes of setting A, whose temperatures those of setting B take: B trained on the validation items.
    """
    recipe = run.recipe.votes
    if recipe is None or network.inner is None:
        return None
    file, seed = run.folder / "votes" / f"votes-{setting}.pt", run.recipe.training.seed
    temperature = like.temperature if like else None
    return voting.fitted(network, run.split(setting), recipe, file, seed, run.log, temperature)


def build(run: Run) -> Path:
    """The whole recipe; returns the folder of the setting-B bundle, evaluated on its test items."""
    forms = run.recipe.network.prm
    until: int | None = None
    rules: dict[PrmForm, Scoring | None] = dict.fromkeys(forms)
    settings: tuple[Setting, Setting] = ("A", "B")
    correction: Correction | None = None
    votes: Calibrated | None = None
    for setting in settings:
        network, progress = fit(run, setting, until)
        assert isinstance(network, Promise)
        until = until or run.recipe.training.stop or progress.best_epoch
        if len(forms) > 1:
            fit_cross(run, setting, network)
        if distributed.rank() > 0:
            continue
        votes = fit_votes(run, network, setting, votes)
        for form in forms:
            rules[form] = _write(run, network, setting, form, until, rules[form], correction, votes)
        # What the correction learns from are A's validation items, so only the bundle of B may have it.
        correction = fit_correction(run, network) if setting == "A" else correction
    return run.bundle("B", forms[0])


def build_baseline(run: Run) -> None:
    """SASRec with full cross entropy: selection in A, retrained in B, under the same folder."""
    run = replace(run, recipe=run.recipe.with_training(stop=0))  # validation chooses its own epochs
    _, progress = fit(run, "A", None, "sasrec")
    fit(run, "B", progress.best_epoch, "sasrec")


def _write(
    run: Run,
    network: Promise,
    setting: Setting,
    form: PrmForm,
    epochs: int,
    rule: Scoring | None,
    correction: Correction | None,
    votes: Calibrated | None,
) -> Scoring:
    """Export one form; without a rule one is chosen on validation.

    The manifest of the form that ships gets its test metrics; the others are judged by `promise evaluate`.
    """
    split, folder = run.split(setting), run.bundle(setting, form)
    provenance = run.provenance(split, epochs)
    finished = _finished(folder, provenance)
    if finished is not None:
        export.amend(folder, version=run.version)
        return finished.scoring
    export.write_bundle(
        folder,
        network,
        form,
        listing(run.dataset, split),
        provenance,
        name=f"{run.dataset.name}-{run.recipe.name}",
        version=UNFINISHED,
        setting=setting,
        scoring=rule or Scoring(leaf=0.0, prefix=0.0),
        metrics={},
        corrected=_corrected(run, network, split, correction) if form == "inner" else None,
        votes=votes if form == "inner" else None,
    )
    label = f"{setting}-{form}"
    rule = rule or choose_rule(run, folder, label, split)
    export.amend(folder, scoring=rule.model_dump(), auto=_walk(run.recipe))
    metrics = on_test(run, folder, label, split) if form == run.recipe.network.prm[0] else {}
    # The version marks the end of this stage: a bundle cut before here is written again.
    export.amend(folder, metrics=metrics, version=run.version)
    return rule


def _walk(recipe: Recipe) -> dict[str, Any] | None:
    """Widths by depth: wide pools cost little, and what they keep a correction puts first."""
    if recipe.correction is None or recipe.tokenizer.depth != len(TUNED["k50"]):
        return None
    return Walk(tiers=WALKED, widths=dict(TUNED)).model_dump()


def _corrected(run: Run, network: Promise, split: Split, correction: Correction | None) -> Corrected | None:
    if correction is None:
        return None
    return Corrected(correction, relations_of(network, run.dataset, split, correction.recipe))


def _finished(folder: Path, wanted: Provenance) -> Manifest | None:
    """The manifest of a bundle that a finished run left here from the same data and recipe, whatever other forms."""
    file = folder / contract.MANIFEST
    if not file.exists():
        return None
    found = Manifest.model_validate_json(file.read_bytes())
    same = _comparable(found.provenance) == _comparable(wanted)
    return found if same and found.version != UNFINISHED else None


def _comparable(provenance: Provenance) -> str:
    """All but the forms of the PRM; of the recipe what is not by default, so that a choice added later changes none."""
    fields = provenance.model_dump(mode="json")
    fields["recipe"]["network"].pop("prm")
    fields["recipe"] = differing(fields["recipe"], json.loads(json.dumps(Recipe().as_dict())))
    return json.dumps(fields, sort_keys=True)
