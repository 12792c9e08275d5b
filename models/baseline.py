"""Weights of the trained baseline, SASRec with full cross entropy, out of a run folder."""

import json
from pathlib import Path
from typing import Any

import torch

from models.data import DataError
from models.dataset import Dataset
from models.manifest import Manifest
from models.recipe import NetworkRecipe
from models.sasrec import SASRec
from models.training import Progress


def load_sasrec(run: Path, manifest: Manifest, data: Dataset) -> tuple[SASRec, int]:
    """The baseline trained under a run folder with the sizes of this bundle, and the newest items it reads.

    Raises:
        DataError: there is none, it is not finished, saw other data, or has other sizes.
    """
    recipe, folder = manifest.provenance.recipe, run / f"sasrec-{manifest.setting}"
    _same_data(folder, manifest)
    if not _finished(run, manifest):
        raise DataError(f"{run}: the baseline is not finished; run `promise train {data.name} --baseline` again")
    sizes = NetworkRecipe(**(recipe["network"] | {"prm": ("inner",)}))
    model = SASRec(len(data.items.ids), data.items.text, sizes)
    file = weights_file(run, manifest.setting)
    state = torch.load(file, weights_only=True)
    try:
        model.load_state_dict(state.get("model", state))
    except RuntimeError as error:
        raise DataError(f"{file}: its sizes or features are not those of {manifest.tag}") from error
    return model.eval(), sizes.history


def weights_file(run: Path, setting: str) -> Path:
    """Where the baseline's weights lie: of the best epoch in setting A, of the last in B."""
    return run / f"sasrec-{setting}" / ("best.pt" if setting == "A" else "last.pt")


def _finished(run: Path, manifest: Manifest) -> bool:
    """Did it run the epochs that were noted with it, else in setting B those that its setting A chose, else all?"""
    folder, training = run / f"sasrec-{manifest.setting}", manifest.provenance.recipe["training"]
    done, noted = _trained(folder).epoch, _noted(folder).get("until")
    every = int(training.get("stop") or training["epochs"])  # of the bundle: the baseline may have run longer
    if noted or manifest.setting == "A":
        return done >= int(noted or every)
    chosen = _trained(run / "sasrec-A")
    return chosen.epoch >= every and done == chosen.best_epoch


def _same_data(folder: Path, manifest: Manifest) -> None:
    """Refuse a baseline that may have been trained on the items that this bundle is judged on."""
    noted = _noted(folder)
    if noted and (noted["data"], noted["setting"]) != (manifest.provenance.dataset_digest, manifest.setting):
        raise DataError(f"{folder} was trained on other data than {manifest.tag}")
    # Runs older than the note all have the order of the file.
    if not noted and manifest.provenance.shuffled is not None and folder.exists():
        raise DataError(f"{folder} does not say what it was trained on, so {manifest.tag} is not compared with it")


def _noted(folder: Path) -> dict[str, Any]:
    """What models.pipeline.claim noted in a stage folder; nothing where there is no note."""
    note = folder / "made-of.json"
    found: dict[str, Any] = json.loads(note.read_text("utf-8")) if note.exists() else {}
    return found


def _trained(folder: Path) -> Progress:
    file = folder / "last.pt"
    if not file.exists():
        raise DataError(f"{folder}: no trained baseline; `promise train … --baseline` makes one")
    return Progress(**torch.load(file, weights_only=True)["progress"])
