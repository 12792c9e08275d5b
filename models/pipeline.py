"""From a dataset to a bundle: setting A selects on validation, setting B retrains for as long (data protocol).

Every stage leaves its result in the run folder and is skipped or resumed when it is already there.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from models import contract, evaluation, export
from models.dataset import Dataset, Split
from models.listing import listing, train_digest
from models.manifest import UNFINISHED, Manifest, Provenance, Scoring
from models.network import CrossStage, Promise
from models.recipe import PrmForm, Recipe
from models.sasrec import SASRec
from models.tokenizer import SemanticIds, item_vectors, tokenize
from models.training import Log, Progress, Trainer

Setting = Literal["A", "B"]
SELECTION_USERS = 6000


@dataclass(frozen=True)
class Run:
    """One recipe on one dataset; everything it makes lands under `folder`."""

    dataset: Dataset
    recipe: Recipe
    folder: Path
    version: str
    log: Log

    def split(self, setting: Setting) -> Split:
        return self.dataset.split(setting)

    def stage(self, setting: Setting, kind: str = "promise") -> Path:
        return self.folder / f"{kind}-{setting}"

    def bundle(self, setting: Setting, form: PrmForm) -> Path:
        return self.folder / f"bundle-{setting}-{form}"


class RunError(ValueError):
    """A run folder holds the work of another recipe or other data; the sentence names the folder."""


def claim(run: Run, stage: Path, setting: Setting, until: int | None = None) -> None:
    """Note in a stage folder what its work is made of; refuse a folder whose work is made of something else.

    Raises:
        RunError: resuming would mix two runs.
    """
    recipe = replace(run.recipe, network=replace(run.recipe.network, prm=Recipe().network.prm)).choices()
    made_of = {"data": run.dataset.digest, "rows": run.dataset.seed, "setting": setting, "until": until}
    wanted = json.loads(json.dumps(made_of | {"text": run.dataset.items.text is not None, "recipe": recipe}))
    note = stage / "made-of.json"
    if note.exists():
        if json.loads(note.read_text()) != wanted:
            raise RunError(f"{stage} holds the work of another recipe or other data; name another folder with --out")
        return
    if (stage / "last.pt").exists():
        raise RunError(f"{stage} does not say what it is made of; name another folder with --out")
    stage.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=1))


def semantic_ids(run: Run, setting: Setting) -> SemanticIds:
    """Tokenise from this setting's training interactions only; kept as sids.npz in the stage folder."""
    path, recipe = run.stage(setting) / "sids.npz", run.recipe.tokenizer
    if path.exists():
        with np.load(path) as stored:
            return SemanticIds(stored["codes"], int(stored["collisions"]), recipe.codebook)
    items, seed = run.dataset.items, run.recipe.training.seed
    vectors = item_vectors(recipe, run.split(setting).train, len(items.ids), items.text, seed)
    found = tokenize(vectors, recipe.depth, recipe.codebook, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, codes=found.codes, collisions=found.collisions)
    run.log(f"{setting}: semantic IDs " + " ".join(f"{k} {v:.3g}" for k, v in found.report().items()))
    return found


def fit(run: Run, setting: Setting, until: int | None, kind: str = "promise") -> tuple[nn.Module, Progress]:
    """Train the product's network or the baseline in one setting; validation is looked at in setting A only."""
    claim(run, run.stage(setting, kind), setting, until)
    torch.manual_seed(run.recipe.training.seed)
    split, items, sizes = run.split(setting), run.dataset.items, run.recipe.network
    if kind == "sasrec":
        model: nn.Module = SASRec(len(items.ids), items.text, sizes)
    else:
        sids = semantic_ids(run, setting)
        trunk = sizes if "inner" not in sizes.prm else replace(sizes, prm=("inner",))
        model = Promise(sids.codes, run.recipe.tokenizer.codebook, items.text, trunk, run.recipe.training)
    folder = run.stage(setting, kind)

    def log(line: str) -> None:
        run.log(f"{kind}-{setting}: {line}")

    trainer = Trainer(model, run.recipe.training, sizes.history, folder, log)
    validation = (split.validation.histories, split.validation.targets) if setting == "A" else None
    return model, trainer.fit(split.train, validation, until)


def fit_cross(run: Run, setting: Setting, network: Promise) -> None:
    """Give a trained network the paper's PRM form as well, on its finished trunk."""
    claim(run, run.stage(setting, "cross"), setting)
    torch.manual_seed(run.recipe.training.seed)
    recipe = replace(run.recipe.training, epochs=run.recipe.training.cross_epochs)

    def log(line: str) -> None:
        run.log(f"cross-{setting}: {line}")

    stage = CrossStage(network.eval())
    Trainer(stage, recipe, run.recipe.network.history, run.stage(setting, "cross"), log).fit(
        run.split(setting).train, None
    )


def build(run: Run) -> Path:
    """The whole recipe; returns the folder of the setting-B bundle, evaluated on its test items."""
    forms = run.recipe.network.prm
    until: int | None = None
    rules: dict[PrmForm, Scoring | None] = dict.fromkeys(forms)
    settings: tuple[Setting, Setting] = ("A", "B")
    for setting in settings:
        network, progress = fit(run, setting, until)
        assert isinstance(network, Promise)
        until = until or progress.best_epoch
        if len(forms) > 1:
            fit_cross(run, setting, network)
        for form in forms:
            rules[form] = _write(run, network, setting, form, until, rules[form])
    return run.bundle("B", forms[0])


def build_baseline(run: Run) -> None:
    """SASRec with full cross entropy: selection in A, retrained in B, under the same folder."""
    _, progress = fit(run, "A", None, "sasrec")
    fit(run, "B", progress.best_epoch, "sasrec")


def _write(run: Run, network: Promise, setting: Setting, form: PrmForm, epochs: int, rule: Scoring | None) -> Scoring:
    """Export one form; without a rule one is chosen on validation.

    The manifest of the form that ships gets its test metrics; the others are judged by `promise evaluate`.
    """
    split, folder = run.split(setting), run.bundle(setting, form)
    provenance = _provenance(run, split, epochs)
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
    )
    label = f"{setting}-{form}"
    rule = rule or _choose_rule(run, folder, label, split)
    export.amend(folder, scoring=rule.model_dump())
    metrics = _test_metrics(run, folder, label, split) if form == run.recipe.network.prm[0] else {}
    # The version marks the end of this stage: a bundle cut before here is written again.
    export.amend(folder, metrics=metrics, version=run.version)
    return rule


def _finished(folder: Path, wanted: Provenance) -> Manifest | None:
    """The manifest of a bundle that a finished run left here from the same data and recipe, whatever other forms."""
    file = folder / contract.MANIFEST
    if not file.exists():
        return None
    found = Manifest.model_validate_json(file.read_bytes())
    same = _comparable(found.provenance) == _comparable(wanted)
    return found if same and found.version != UNFINISHED else None


def _comparable(provenance: Provenance) -> str:
    fields = provenance.model_dump(mode="json")
    fields["recipe"]["network"].pop("prm")
    return json.dumps(fields, sort_keys=True)


def _choose_rule(run: Run, bundle: Path, label: str, split: Split) -> Scoring:
    engine = evaluation.open_engine(bundle, torch.get_num_threads())
    users = np.random.default_rng(0).permutation(len(split.validation.targets))[:SELECTION_USERS]
    histories, targets = [split.validation.histories[user] for user in users], split.validation.targets[users]
    sids, limit = engine.bundle.catalogue.sids, engine.history_limit
    rule, tried = evaluation.choose_rule(engine, engine.trie, sids, histories, targets, history_limit=limit)
    run.log(f"{label}: validation N@10 by weights " + " ".join(f"{r.method} {r.ndcg(10):.4f}" for r in tried))
    return Scoring(leaf=rule.leaf, prefix=rule.prefix)


def _test_metrics(run: Run, bundle: Path, label: str, split: Split) -> dict[str, float]:
    """Recall@10 and NDCG@10 of the plain beam and the default tier over all test users."""
    engine = evaluation.open_engine(bundle, torch.get_num_threads())
    rule = evaluation.rule_of(engine.bundle.manifest.scoring)
    every = evaluation.methods_default(engine.depth, rule=rule, exact=False)
    results = evaluation.evaluate_engine(
        engine,
        engine.trie,
        engine.bundle.catalogue.sids,
        split.test.histories,
        split.test.targets,
        [method for method in every if method.name in ("beam50", "guided 50/200")],
        history_limit=engine.history_limit,
        timed=0,
    )
    metrics = {f"test {r.method} recall@10": round(r.recall(10), 5) for r in results}
    metrics |= {f"test {r.method} ndcg@10": round(r.ndcg(10), 5) for r in results}
    run.log(f"{label}: " + " ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return metrics


def _provenance(run: Run, split: Split, epochs: int) -> Provenance:
    return Provenance(
        dataset=run.dataset.name,
        dataset_digest=run.dataset.digest,
        users=len(run.dataset.users),
        interactions=int(sum(map(len, split.train))),
        train_digest=train_digest(run.dataset, split),
        seed=run.recipe.training.seed,
        epochs=epochs,
        recipe=run.recipe.as_dict(),
    )
