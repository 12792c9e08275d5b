"""The inner PRM on a finished generator: what is left of it when generator and encoding no longer learn with it."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models import distributed
from models.consensus import learned_from
from models.network import Promise
from models.prm_losses import inner_loss
from models.recipe import Recipe
from models.training import I32, Log, Progress, Trainer

LEARNED = "learned.json"


class InnerStage(nn.Module):
    """Trains only the inner PRM of a network; what it registers, and a checkpoint holds, are the PRM's parameters."""

    def __init__(self, network: Promise) -> None:
        super().__init__()
        self.inner, self.rows = network.inner, network.prefix_rows["inner"]
        self.trunk = (network,)

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """As Promise.loss, the inner PRM only; the encoding is the finished one, without dropout.

        A row below 0 is read and not learned from (models.consensus).
        """
        (network,), where = self.trunk, targets > 0
        network.encoder.eval()
        with torch.no_grad():
            item_rows = None if network.proposals else network.features.rows(network.catalogue)
            memory = network.encode(items.abs(), item_rows)
        return {"inner": inner_loss(network, memory, item_rows, targets.abs(), where)}

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The inner PRM's reward of every item row [B, I+1]."""
        (network,) = self.trunk
        return network.leaf_scores(items, lengths, "inner")


def fit_inner(
    network: Promise,
    recipe: Recipe,
    folder: Path,
    log: Log,
    train: list[I32],
    validation: tuple[list[I32], I32] | None,
    until: int | None = None,
    judge: Promise | None = None,
) -> Progress:
    """Train the inner PRM of a network whose generator is finished, by the same schedule; resumes from `folder`.

    `judge`: who decides with the labels which positions are learned from, where the recipe asks for that.
    """
    chosen = learned_from(network.eval(), judge, recipe, train)
    if distributed.rank() == 0:
        note(folder, train, chosen, recipe.network.history)
    torch.manual_seed(recipe.training.seed)
    stage = InnerStage(network)
    return Trainer(stage, recipe.training, recipe.network.history, folder, log).fit(chosen, validation, until)


def note(folder: Path, train: Sequence[I32], chosen: Sequence[I32], history: int) -> None:
    """Write to `folder` how many positions are learned from, of how many that training reads."""
    different = {id(sequence): sequence for sequence in chosen}.values()  # users are repeated to fill an epoch
    learned = sum(int((sequence[1:][-history:] > 0).sum()) for sequence in different)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"learned": learned, "positions": sum(len(sequence[1:][-history:]) for sequence in train)}
    (folder / LEARNED).write_text(json.dumps(counts))
