"""A loss on whole lists with graded rewards (LIRE, arXiv 2405.13516): what the list earns in expectation.

The softmax of the scores says how likely each prefix of the list is to be taken; the loss is minus the reward to be
expected of it. The truth earns 1, another prefix GRADE of the share of leading codes it has in common with the truth.
"""

import torch
from torch import Tensor

GRADE = 0.5  # a near miss must earn less than the truth, whatever the depth


def rewards(codes: Tensor, true: Tensor) -> Tensor:
    """Codes [P, L, b] of listed prefixes and of the true one [P, b] → reward [P, L] in 0 .. 1."""
    shared = (codes == true[:, None]).long().cumprod(-1).sum(-1)
    return torch.where(shared == codes.shape[-1], 1.0, GRADE * shared / codes.shape[-1])


def list_loss(scores: Tensor, reward: Tensor) -> Tensor:
    """Minus the expected reward of lists, mean over positions; scores [P, L], -inf where nothing is listed."""
    return -(scores.softmax(-1) * reward).sum(-1).mean()
