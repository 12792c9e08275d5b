"""The inner PRM on a finished generator: what is left of it when generator and encoding no longer learn with it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from models.network import Promise
from models.prm_losses import inner_loss
from models.recipe import Recipe
from models.training import I32, Log, Progress, Trainer


class InnerStage(nn.Module):
    """Trains only the inner PRM of a network; what it registers, and a checkpoint holds, are the PRM's parameters."""

    def __init__(self, network: Promise) -> None:
        super().__init__()
        self.inner, self.rows = network.inner, network.prefix_rows["inner"]
        self.trunk = (network,)

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """As Promise.loss, the inner PRM only; the encoding is the finished one, without dropout."""
        (network,) = self.trunk
        network.encoder.eval()
        with torch.no_grad():
            item_rows = None if network.proposals else network.features.rows(network.catalogue)
            memory = network.encode(items, item_rows)
        return {"inner": inner_loss(network, memory, item_rows, targets, targets > 0)}

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
) -> Progress:
    """Train the inner PRM of a network whose generator is finished, by the same schedule; resumes from `folder`."""
    torch.manual_seed(recipe.training.seed)
    stage = InnerStage(network.eval())
    return Trainer(stage, recipe.training, recipe.network.history, folder, log).fit(train, validation, until)
