"""Small corrections with random weights over made sequences, and bundles that hold one."""

import shutil
from pathlib import Path

import numpy as np
import torch
from tiny import I32, made_sequences, made_text

from models import contract, export
from models.correction.bundled import Corrected, write_correction
from models.correction.network import COUNTED, Correction
from models.correction.relations import Relations, build
from models.manifest import Manifest, sha256
from models.recipe import CorrectionRecipe

RECIPE = CorrectionRecipe(pool=30, newest=5, profile=4, lists=500, epochs=6, users=16, width=8, heads=2, dropout=0.0)


def made_relations(items: int, sequences: list[I32] | None = None, seed: int = 0, width: int = 4) -> Relations:
    """Two groups of profiles; row 0 of the tokens is no item."""
    tokens = np.random.default_rng(seed).normal(size=(items + 1, 7)).astype(np.float32)
    tokens[0] = 0
    return build(sequences or made_sequences(60, items, seed=seed), made_text(items, seed=seed), tokens, width)


def made_correction(items: int, seed: int = 0, recipe: CorrectionRecipe = RECIPE) -> Corrected:
    """Random weights, large ones, so that the ranking changes for good and no two rewards are near."""
    relations = made_relations(items, seed=seed, width=recipe.profile)
    torch.manual_seed(seed)
    model = Correction(relations.groups + len(COUNTED), recipe)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.5)
        model.scale.fill_(0.8)  # a fitted one is near 1, never below 0
    return Corrected(model.eval(), relations)


def corrected_bundle(plain: Path, folder: Path, corrected: Corrected) -> Path:
    """The bundle in `plain` with this correction."""
    shutil.copytree(plain, folder)
    write_correction(folder, corrected)
    added = (contract.CORRECTION.file, contract.RELATIONS)
    files = Manifest.model_validate_json((folder / contract.MANIFEST).read_bytes()).files
    files |= {name: sha256(folder / name) for name in added}
    export.amend(folder, correction=corrected.shape().model_dump(), files=files)
    return folder
