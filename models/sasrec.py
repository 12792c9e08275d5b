"""SASRec with full cross entropy over all items: the honest baseline (methods sections 3 and 6).

The same encoder, the same text features and the same loop as the product's model; the output is tied to the input.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.generator import HistoryEncoder
from models.layers import embedding
from models.prm import last
from models.recipe import NetworkRecipe
from models.softmax import full_softmax_loss


class SASRec(nn.Module):
    """Items int64 [B,T] → scores over all items; row 0 is padding and never ranked."""

    text: Tensor

    def __init__(self, items: int, text: NDArray[np.float16] | None, recipe: NetworkRecipe) -> None:
        super().__init__()
        words = np.zeros((items, 0), np.float32) if text is None else text.astype(np.float32)
        padded = np.concatenate([np.zeros((1, words.shape[1]), np.float32), words])
        self.register_buffer("text", torch.from_numpy(padded), persistent=False)
        self.learned = embedding(items + 1, recipe.width)
        self.project = nn.Linear(words.shape[1], recipe.width, bias=False) if words.shape[1] else None
        if self.project is not None:
            nn.init.normal_(self.project.weight, std=0.02)
        self.encoder = HistoryEncoder(recipe)

    def table(self) -> Tensor:
        """[I+1, D]."""
        return self.learned if self.project is None else self.learned + self.project(self.text)

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean cross entropy over the valid positions of [B,T]."""
        table = self.table()
        hidden = self.encoder(nn.functional.embedding(items, table))
        where = targets > 0
        return {"softmax": full_softmax_loss(hidden[where], table[1:], targets[where] - 1)}

    @torch.no_grad()
    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores [B, I+1], row 0 = -inf."""
        table = self.table()
        hidden = self.encoder(nn.functional.embedding(items, table))
        scores = last(hidden, lengths) @ table.T
        scores[:, 0] = -torch.inf
        return scores
