"""The temperature of every depth: softmax(mean vote / T) over its valid prefixes is then a probability.

Fitted to items that the network never trained on, setting A's validation items: on those it did it is far too sure.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from models.batches import scoring_batches
from models.dataset import Cases
from models.network import Promise
from models.recipe import VotesRecipe
from models.votes.network import Votes

I32 = NDArray[np.int32]
MOST = 1 << 26  # rewards held at a time
COLDEST, HOTTEST = 0.1, 10.0


@torch.no_grad()
def contexts(network: Promise, histories: list[I32]) -> Tensor:
    """[d,U,D]: the contexts of whole histories, all depths."""
    assert network.inner is not None
    depth, width = network.catalogue.depth, network.recipe.width
    rows, found = network.features.rows(network.catalogue), torch.zeros(depth, len(histories), width)
    for chosen, items, lengths in scoring_batches(histories, 256, network.recipe.history):
        memory = network.encode(items, rows)
        for b in range(depth):
            found[b, chosen] = network.inner.newest(memory, lengths, b)
    return found


@torch.no_grad()
def temperatures(network: Promise, model: Votes, cases: Cases, recipe: VotesRecipe) -> tuple[float, ...]:
    """One a depth, from a seeded sample of cases."""
    most = min(recipe.judged, MOST // max(network.catalogue.counts))
    users = np.random.default_rng(0).permutation(len(cases.targets))[:most]
    targets = torch.from_numpy(cases.targets[users].astype(np.int64))
    item_rows, found = network.features.rows(network.catalogue), []
    for b, context in enumerate(contexts(network, [cases.histories[user] for user in users])):
        mean = model(context, b)[:, :-1].mean(1)
        rewards = mean @ network.rows(b, item_rows, "inner").T
        found.append(temperature(rewards, network.catalogue.member(b)[targets]))
    return tuple(found)


def temperature(rewards: Tensor, true: Tensor) -> float:
    """The T that makes softmax(rewards / T) give the true prefixes int64 [U] the most; rewards [U,V]."""

    def loss(log: float) -> float:
        return float(torch.nn.functional.cross_entropy(rewards * float(np.exp(-log)), true))

    bounds = float(np.log(COLDEST)), float(np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return round(float(np.exp(found.x)), 4)
