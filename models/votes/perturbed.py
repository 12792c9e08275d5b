"""Another source of votes: perturbed encodings (DiffuReason's idea, arXiv 2602.09744), without any further head."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batches import scoring_batches
from models.network import Promise

I32 = NDArray[np.int32]
Memories = Callable[[Tensor, Tensor], Tensor]  # items [B,T] and the rows of all items → memory [B,T,D]


def noisy(network: Promise, histories: list[I32], copies: int, sigma: float, seed: int = 0) -> Tensor:
    """[d,U,R,D]: contexts of R encodings with Gaussian noise of `sigma` times the encoding's own deviation."""
    random = torch.Generator().manual_seed(seed)

    def memory(items: Tensor, rows: Tensor) -> Tensor:
        clean = network.encode(items, rows)
        return clean + sigma * clean.std() * torch.randn(clean.shape, generator=random)

    return _contexts(network, histories, copies, memory)


def dropped(network: Promise, histories: list[I32], copies: int, seed: int = 0) -> Tensor:
    """[d,U,R,D]: the same with the dropout of the training on, in encoder and PRM."""
    torch.manual_seed(seed)
    network.train()
    found = _contexts(network, histories, copies, network.encode)
    network.eval()
    return found


@torch.no_grad()
def _contexts(network: Promise, histories: list[I32], copies: int, memory: Memories) -> Tensor:
    assert network.inner is not None
    depth, width = network.catalogue.depth, network.recipe.width
    found = torch.zeros(depth, len(histories), copies, width)
    rows = network.features.rows(network.catalogue)
    for chosen, items, lengths in scoring_batches(histories, 256, network.recipe.history):
        for copy in range(copies):
            encoded = memory(items, rows)
            for b in range(depth):
                found[b, chosen, copy] = network.inner.newest(encoded, lengths, b)
    return found
