"""A network whose losses and shares are far apart, without dropout, and a batch for it."""

from dataclasses import replace
from typing import Any

import torch
from tiny import CODES, SIZES, TRAINING, made_sequences, made_sids, made_text, padded
from torch import Tensor

from models.network import Promise

ITEMS = 40


def made(**changes: Any) -> Promise:
    """A loud network without dropout."""
    torch.manual_seed(0)
    recipe = replace(TRAINING, **changes)
    network = Promise(made_sids(ITEMS), CODES, made_text(ITEMS), replace(SIZES, dropout=0.0), recipe)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * 0.25)
    return network


def batch(users: int = 6) -> tuple[Tensor, Tensor]:
    items, _ = padded([rows.tolist()[:9] for rows in made_sequences(users, ITEMS)])
    return items[:, :-1] * (items[:, 1:] > 0), items[:, 1:]
