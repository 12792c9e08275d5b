"""Small votes with random weights, and bundles that hold them."""

from dataclasses import replace
from pathlib import Path

import torch
from tiny import DEPTH, SIZES

from models.recipe import VotesRecipe
from models.votes.adding import add_votes
from models.votes.bundled import Calibrated
from models.votes.network import Votes

RECIPE = VotesRecipe(heads=3, rank=2, positives=3, share=0.5, epochs=8, users=16, learning_rate=1e-2, judged=50)


def made_votes(depth: int = DEPTH, width: int = SIZES.width, seed: int = 0, recipe: VotesRecipe = RECIPE) -> Calibrated:
    """Random weights, large ones, so that no two votes are near."""
    torch.manual_seed(seed)
    model = Votes(depth, width, recipe)
    torch.nn.init.normal_(model.up, std=0.5)
    return Calibrated(model.eval(), tuple(1.0 + 0.5 * level for level in range(depth)))


def voted_bundle(plain: Path, folder: Path, votes: Calibrated | None = None) -> Path:
    """The bundle in `plain` with these votes."""
    add_votes(plain, folder, votes or made_votes(), "1.voted")
    return folder


def quick(**choices: int | float) -> VotesRecipe:
    return replace(RECIPE, **choices)  # type: ignore[arg-type]  # choices by name
