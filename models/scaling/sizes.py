"""Smaller generators and PRMs, trained as the shipped ones were."""

from pathlib import Path

import numpy as np

from models import contract, export, pipeline
from models.dataset import Dataset
from models.listing import listing
from models.manifest import Manifest, Scoring
from models.network import Promise
from models.recipe import Recipe
from models.tokenizer import SemanticIds
from models.training import Log

EPOCHS = 14  # of the schedule's 20: what validation chose for the shipped bundle
RULE = Scoring(leaf=0.0, prefix=1.0)  # the shipped bundle's


def sizes() -> list[Recipe]:
    """A quarter and half of the shipped width. Dropout follows the width: .2 at 32, .3 at 64, .4 at 128."""
    small = Recipe("small").with_network(width=32, head_width=8, feed_forward=128, dropout=0.2)
    return [small, Recipe("half").with_network(width=64, head_width=16, feed_forward=256, dropout=0.3)]


def train(recipe: Recipe, dataset: Dataset, sids: SemanticIds, folder: Path, log: Log) -> Path:
    """Train a size in setting B, as long as the shipped bundle, and write its bundle; resumes, and skips what is
    done. All sizes share one tokenizer's semantic IDs.

    Raises:
        RunError: the folder holds the work of another recipe or other data.
    """
    run = pipeline.Run(dataset, recipe, folder / recipe.name, "1.0.0", log)
    stage, bundle = run.stage("B"), run.bundle("B", "inner")
    if (bundle / contract.MANIFEST).exists():
        return bundle
    if not (stage / "sids.npz").exists():
        stage.mkdir(parents=True, exist_ok=True)
        np.savez(stage / "sids.npz", codes=sids.codes, collisions=sids.collisions)
    network, progress = pipeline.fit(run, "B", EPOCHS)
    assert isinstance(network, Promise)
    write(run, network, bundle, progress.epoch)
    return bundle


def write(run: pipeline.Run, network: Promise, bundle: Path, epochs: int) -> Manifest:
    """Export a network of setting B; raises as `models.export.write_bundle` does."""
    split = run.split("B")
    return export.write_bundle(
        bundle,
        network,
        "inner",
        listing(run.dataset, split),
        run.provenance(split, epochs),
        name=f"{run.dataset.name}-{run.folder.name}",
        version=run.version,
        setting="B",
        scoring=RULE,
        metrics={},
    )
