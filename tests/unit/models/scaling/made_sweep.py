"""A small bundle of a small dataset that an audit accepts, and sweeps of it."""

from pathlib import Path

import torch
from tiny import CODES, SIZES, TRAINING, made_dataset, made_sequences, made_sids, made_text

from models.dataset import Dataset
from models.network import Promise
from models.pipeline import Run
from models.recipe import NetworkRecipe, Recipe, TokenizerRecipe
from models.scaling import sizes, sweep
from models.scaling.sweep import Sample, Subject, Swept

ITEMS, USERS = 90, 70
GROUPS = ("peers", "k10", "beams", "depths", "level-2")
SAMPLE = Sample(users=40, more=50, timed=2)
DEFAULT = ((5, 9), (10, 20), (10, 30))


def dataset() -> Dataset:
    return made_dataset(made_sequences(USERS, ITEMS, seed=3), ITEMS, made_text(ITEMS))


def made_recipe(network: NetworkRecipe = SIZES) -> Recipe:
    return Recipe("tiny", TokenizerRecipe(codebook=CODES), network, TRAINING)


def made_bundle(folder: Path) -> Path:
    """Untrained."""
    torch.manual_seed(1)
    data, recipe = dataset(), made_recipe()
    network = Promise(made_sids(ITEMS), CODES, data.items.text, recipe.network, TRAINING)
    sizes.write(Run(data, recipe, folder, "1", lambda _: None), network.eval(), folder / "bundle", 1)
    return folder / "bundle"


def made_sweep(bundle: Path, folder: Path, name: str = "tiny", groups: tuple[str, ...] = GROUPS) -> Swept:
    subject = Subject(name, bundle, groups, DEFAULT, listed=True)
    return sweep.sweep(subject, lambda _: dataset(), folder, SAMPLE, lambda _: None)
