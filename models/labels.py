"""Step labels by relative progress (GenPRM, arXiv 2504.00891), exact on the trie instead of by sampling.

A position has S rewarded items, its slots. V(prefix) is the reward that the generator π earns by going on from a
prefix: V(leaf) = the item's reward, V(prefix) = Σ π(child | prefix) V(child). Items without reward add nothing, so the
paths of the slots are all of the trie that is needed. Progress of a step = V(child) / V(prefix); its label is 1 while
the progress of it and of all steps before is at least ε.

A prefix is named by its index within its depth, as models.catalogue numbers them. Slots may repeat an item, and a slot
without item may name any leaf with reward 0.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def values(prefixes: Sequence[Tensor], rewards: Tensor, shares: Sequence[Tensor]) -> list[Tensor]:
    """V of every slot's prefixes: float [P,S] for depths 0 (the root) .. d.

    prefixes: int64 [P,S] per depth 1 .. d. rewards: float [P,S] of the slots' items, at least 0. shares: float [P,S]
    per depth 1 .. d, π of the slot's prefix given the one above.
    """
    leaf = same(prefixes[-1])
    value = torch.where(leaf, rewards[:, None, :], 0.0).amax(-1)
    found = [value]
    for b in reversed(range(len(prefixes))):
        part = torch.where(first(prefixes[b]), shares[b] * value, 0.0)
        siblings = same(prefixes[b - 1]) if b else torch.ones_like(leaf)
        value = (siblings * part[:, None, :]).sum(-1)
        found.append(value)
    return found[::-1]


def progress_labels(found: Sequence[Tensor], epsilon: float) -> list[Tensor]:
    """bool [P,S] per depth 1 .. d, of the V of `values`: V(child) ≥ ε V(prefix) > 0 at this step and all before it.

    With ε = 0 a step is right wherever a reward is left to be had.
    """
    right, labels = found[0] > 0, []
    for above, below in pairwise(found):
        right = right & (below > 0) & (below >= epsilon * above)
        labels.append(right)
    return labels


def soft_targets(prefixes: Tensor, labels: Tensor, credit: Tensor) -> Tensor:
    """Weights [P,S] of the slots' prefixes of one depth, each prefix once: label · credit, which sum to 1.

    Where nothing is left of them the first slot, the true next item, has it all. prefixes int64, labels bool, credit
    float, all [P,S].
    """
    weights = torch.where(labels & first(prefixes), credit, 0.0)
    total = weights.sum(1, keepdim=True)
    truth = torch.zeros_like(weights)
    truth[:, 0] = 1.0
    return torch.where(total > 0, weights / total.clamp(min=torch.finfo(weights.dtype).tiny), truth)


def rewards_below(prefixes: Tensor, leaves: Tensor, rewards: Tensor) -> Tensor:
    """[P,S]: the summed rewards of the different items below every slot's prefix; all arguments [P,S]."""
    once = torch.where(first(leaves), torch.where(same(leaves), rewards[:, None, :], 0.0).amax(-1), 0.0)
    return (same(prefixes) * once[:, None, :]).sum(-1)


def same(prefixes: Tensor) -> Tensor:
    """bool [P,S,S]: which slots name the same prefix."""
    return prefixes[:, :, None] == prefixes[:, None, :]


def first(prefixes: Tensor) -> Tensor:
    """bool [P,S]: no earlier slot of the position names this prefix."""
    earlier = same(prefixes).tril(-1)
    return ~earlier.any(-1)
