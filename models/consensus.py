"""Which positions the PRM of the second stage learns from: all of them, a number of random ones, or the agreed ones.

Agreed (GenPRM's consensus filter, arXiv 2504.00891): at every depth the label of the true prefix and a judge say the
same, where the judge is the exact scan of another finished network: right = the true prefix is among the best
JUDGED_RIGHT of all valid ones. What is compared with it is as many positions drawn at random.

A position that is not learned from has its target's row negated: it is read as history all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batches import scoring_batches
from models.layers import causal_mask
from models.progress import steps
from models.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from models.network import Promise

I32 = NDArray[np.int32]
Keep = list[NDArray[np.bool_]]
JUDGED_RIGHT = 0.1  # share of the valid prefixes of a depth
BATCH = 256


def learned_from(network: Promise, judge: Promise | None, recipe: Recipe, sequences: Sequence[I32]) -> list[I32]:
    """The sequences of the positions that the recipe chooses, marked; as many sequences as could be trained on.

    Users without a chosen position are left out and the rest repeated, so that any choice takes as many steps.

    Raises:
        RecipeError: agreement is asked for without a judge.
    """
    training, history = recipe.training, recipe.network.history
    if training.labelled == "all" and not training.label_limit:
        return list(sequences)
    usable = [sequence for sequence in sequences if len(sequence) > 1]
    keep = newest(usable, history)
    if training.labelled != "all":
        if judge is None:
            raise RecipeError(f"labels chosen as '{training.labelled}' need a judge")
        keep = agreed(network, judge, usable, history)
    if training.labelled == "matched":
        keep = drawn(newest(usable, history), count(keep), training.seed)
    if training.label_limit:
        keep = drawn(keep, training.label_limit, training.seed)
    chosen = [marked(sequence, kept) for sequence, kept in zip(usable, keep, strict=True) if kept.any()]
    return [chosen[place % len(chosen)] for place in range(len(usable))]


def marked(sequence: I32, keep: NDArray[np.bool_]) -> I32:
    """A sequence [n] with those of its targets negated, bool [n - 1], that are not to be learned from."""
    found = sequence.copy()
    found[1:][~keep] *= -1
    return found


def count(keep: Keep) -> int:
    """Positions that are kept."""
    return int(sum(kept.sum() for kept in keep))


def newest(sequences: Sequence[I32], history: int) -> Keep:
    """The positions of each sequence that training reads at all."""
    return [np.arange(len(sequence) - 1) >= len(sequence) - 1 - history for sequence in sequences]


def drawn(keep: Keep, wanted: int, seed: int) -> Keep:
    """`wanted` of the positions kept, at random; all where there are fewer."""
    flat = np.concatenate(keep)
    places = np.flatnonzero(flat)
    chosen = np.zeros_like(flat)
    chosen[np.random.default_rng([seed, 2]).permutation(places)[:wanted]] = True
    return np.split(chosen, np.cumsum([len(kept) for kept in keep])[:-1])


@torch.no_grad()
def agreed(network: Promise, judge: Promise, sequences: Sequence[I32], history: int) -> Keep:
    """The positions where the labels by `network`'s generator and the judge's ranks agree at every depth."""
    keep: Keep = [np.zeros(len(sequence) - 1, np.bool_) for sequence in sequences]
    network.eval()
    judge.eval()
    for chosen, rows, lengths in scoring_batches(list(sequences), BATCH, history + 1):
        targets = rows[:, 1:]
        items, where = rows[:, :-1] * (targets > 0), targets > 0
        same = labels_of(network, items, targets, where) == (ranks(judge, items, targets, where) <= JUDGED_RIGHT)
        found = torch.zeros_like(where).masked_scatter(where, same.all(0))
        for row, (user, length) in enumerate(zip(chosen, lengths.tolist(), strict=True)):
            keep[user][len(keep[user]) - (length - 1) :] = found[row, : length - 1].numpy()
    return keep


def labels_of(network: Promise, items: Tensor, targets: Tensor, where: Tensor) -> Tensor:
    """bool [d,P]: the label of the true prefix of every depth; the prefix label is always right."""
    if network.training_recipe.labels == "prefix":
        return torch.ones(network.catalogue.depth, int(where.sum()), dtype=torch.bool)
    memory = network.encode(items, network.features.rows(network.catalogue))
    return torch.stack([label[:, 0] for label in steps(network, memory, targets, where).labels])


def ranks(judge: Promise, items: Tensor, targets: Tensor, where: Tensor) -> Tensor:
    """float [d,P] in 0 .. 1: the share of a depth's valid prefixes that the judge's PRM puts before the true one."""
    assert judge.inner is not None
    rows, found = judge.features.rows(judge.catalogue), []
    memory, mask = judge.encode(items, rows), causal_mask(items.shape[1])
    for b in range(judge.catalogue.depth):
        scores = judge.inner.contexts(memory, memory, b, mask)[where] @ judge.rows(b, rows, "inner").T
        true = judge.catalogue.member(b)[targets[where]]
        found.append((scores > scores.gather(1, true[:, None])).float().mean(1))
    return torch.stack(found)
