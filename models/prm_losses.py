"""What the inner PRM learns from (TrainingRecipe.prm_loss), and the cross-attention PRM's InfoNCE.

softmax: at every position all valid prefixes of the depth compete. uniform: `negatives` of them, drawn for the
position (PROMISE's InfoNCE, arXiv 2601.04674). generator: prefixes of paths that the generator draws for the position;
the optimum is then the log-ratio to the generator, so that log π + reward ranks (methods section 3). listwise: the
prefixes that a beam leaves, by models.listwise. The last two at `cross_positions` positions a step.

What counts as right under the softmax is the true prefix, those of the next items, or those that make progress
(models.progress).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models import competitors
from models.guiding import Positions
from models.layers import causal_mask
from models.listwise import list_loss, rewards
from models.progress import next_rewards, steps
from models.recipe import RecipeError, TrainingRecipe
from models.softmax import Ragged, full_softmax_loss, ragged_softmax_loss

if TYPE_CHECKING:
    from models.network import Promise
    from models.prm import PrefixRows

SPARSE = 64  # classes a competitor: from here on gathering rows beats a product with the whole table


def check(recipe: TrainingRecipe, sampled: bool) -> None:
    """Refuse choices that do not go together.

    Raises:
        RecipeError: several positives, or a sampled softmax, with a loss that is not the softmax; a choice of positions
            for a PRM that learns with the generator.
    """
    if recipe.stages == "joint" and (recipe.label_limit or recipe.labelled != "all"):
        raise RecipeError("only a PRM that is trained in a stage of its own can choose the positions it learns from")
    several = recipe.positives > 1 or recipe.labels == "progress"
    if recipe.prm_loss != "softmax" and (sampled or several):
        what = "a sampled softmax" if sampled else "more than one positive"
        raise RecipeError(f"the PRM loss '{recipe.prm_loss}' does not go with {what}; 'softmax' does")


def inner_loss(network: Promise, memory: Tensor, item_rows: Tensor | None, targets: Tensor, where: Tensor) -> Tensor:
    """The inner PRM's loss, summed over depths; memory [B,T,D], targets [B,T], every position sees its own past."""
    assert network.inner is not None
    recipe, mask = network.training_recipe, causal_mask(memory.shape[1]).to(memory.device)
    if recipe.prm_loss in ("generator", "listwise"):
        return listed_loss(network, memory, item_rows, targets, where)
    parts = []
    for b, (goals, weights) in enumerate(right(network, memory, targets, where)):
        contexts = network.inner.contexts(memory, memory, b, mask)[where]
        parts.append(depth_loss(network, contexts, b, item_rows, goals, weights))
    return torch.stack(parts).sum()


def right(network: Promise, memory: Tensor, targets: Tensor, where: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Per depth the prefixes [P,m] that count as right at the positions, the true one first, and weights [P,m]."""
    recipe, catalogue = network.training_recipe, network.catalogue
    if recipe.labels == "progress":
        found = steps(network, memory, targets, where)
        return list(zip(found.prefixes, found.weights, strict=True))
    goals, weights = next_items(targets, where, recipe.positives)
    return [(catalogue.member(b)[goals], weights) for b in range(catalogue.depth)]


def next_items(targets: Tensor, where: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Items [P, count] after each position, 0 beyond the end, and their weights [P, count], which sum to 1."""
    goals, weights = next_rewards(targets, where, count)
    return goals, weights / weights.sum(1, keepdim=True)


def depth_loss(
    network: Promise, contexts: Tensor, b: int, item_rows: Tensor | None, goals: Tensor, weights: Tensor
) -> Tensor:
    """Cross entropy of contexts [P,D] against the prefixes of depth b + 1; goals int64 [P,m], by weights [P,m].

    Where a depth has more of them than the recipe's `sampled`, over as many drawn ones.
    """
    recipe, first = network.training_recipe, goals[:, 0]
    if b in network.proposals:
        drawn = network.proposals[b].draw(first, recipe.sampled)
        table = _some(network, b, drawn.classes)
        loss = full_softmax_loss(contexts, table, torch.searchsorted(drawn.classes, first), drawn.bias)
        rows = _some(network, b, goals) if goals.shape[1] > 1 else table
    elif recipe.prm_loss == "uniform":
        return uniform_loss(contexts, _table(network, b, item_rows), first, recipe.negatives)
    else:
        table = _table(network, b, item_rows)
        loss = full_softmax_loss(contexts, table, first)
        rows = nn.functional.embedding(goals, table) if goals.shape[1] > 1 else table
    if goals.shape[1] == 1:
        return loss
    # Cross entropy is linear in the target, so the further ones only move what the first one was given.
    scores = torch.einsum("pd,pmd->pm", contexts.float(), rows.float())
    return loss + (scores[:, 0] - (weights * scores).sum(1)).mean()


def uniform_loss(contexts: Tensor, table: Tensor, goals: Tensor, count: int) -> Tensor:
    """InfoNCE of contexts [P,D] against `count` other rows of table [V,D] a position; all of them where V is small."""
    if count >= len(table) - 1:
        return full_softmax_loss(contexts, table, goals)
    choice = torch.cat([goals[:, None], competitors.others(goals, len(table), count)], 1)
    owner = torch.arange(len(goals)).repeat_interleave(choice.shape[1])
    loss = ragged_softmax_loss if choice.shape[1] * SPARSE < len(table) else full_softmax_loss
    return loss(contexts, table, goals, legal=Ragged(owner, choice.flatten()))


def listed_loss(network: Promise, memory: Tensor, item_rows: Tensor | None, targets: Tensor, where: Tensor) -> Tensor:
    """The loss against what the generator proposes at a sample of positions, summed over depths."""
    recipe, catalogue, prm = network.training_recipe, network.catalogue, network.inner
    assert prm is not None
    positions = Positions.drawn(memory, where, recipe.cross_positions)
    propose = competitors.drawn if recipe.prm_loss == "generator" else competitors.left
    proposed, goals, parts = propose(network, positions, recipe.negatives), targets[tuple(positions.place.T)], []
    for b, listed in enumerate(proposed):
        context = prm.contexts(positions.newest, positions.memory, b, positions.mask)[:, 0].float()
        true = catalogue.member(b)[goals]
        choice = torch.cat([true[:, None], listed], 1)
        rows = nn.functional.embedding(choice.clamp(min=0), _table(network, b, item_rows))
        scores = torch.einsum("pd,pld->pl", context, rows.float())
        if recipe.prm_loss == "generator":
            # A draw that is the truth stays: without it the optimum would not be the log-ratio.
            parts.append(nn.functional.cross_entropy(scores, torch.zeros_like(true)))
        else:
            twice = (listed == true[:, None]) | (listed == competitors.FILLER)
            scores = torch.cat([scores[:, :1], scores[:, 1:].masked_fill(twice, -torch.inf)], 1)
            codes = catalogue.prefix_codes(b)
            parts.append(list_loss(scores, rewards(codes[choice.clamp(min=0)], codes[true])))
    return torch.stack(parts).sum()


def cross_loss(network: Promise, memory: Tensor, item_rows: Tensor, targets: Tensor, where: Tensor) -> Tensor:
    """InfoNCE against N uniform prefixes of the depth, on a sample of positions (each sees only its own past).

    Beside an inner PRM the rows' shared part is fixed, as the encoding is.
    """
    assert network.cross is not None
    recipe, beside = network.training_recipe, network.inner is not None
    wanted = min(recipe.cross_positions, int(where.sum()))
    chosen = where.nonzero()[torch.randperm(int(where.sum()))[:wanted]]
    user, position = chosen[:, 0], chosen[:, 1]
    goals, past = targets[user, position], memory[user]
    mask = (torch.arange(past.shape[1])[None] <= position[:, None])[:, None, None, :]
    total = memory.new_zeros(())
    for b in range(network.catalogue.depth):
        rows = network.rows(b, item_rows, "cross", detach=beside)
        true = network.catalogue.member(b)[goals]
        noise = torch.randint(len(rows), (wanted, min(recipe.negatives, len(rows) - 1)))
        scores = network.cross(past, rows[torch.cat([true[:, None], noise], 1)], b, mask).float()
        scores[:, 1:] = scores[:, 1:].masked_fill(noise == true[:, None], -1e9)
        total = total + nn.functional.cross_entropy(scores, torch.zeros_like(true))
    return total


def _table(network: Promise, b: int, item_rows: Tensor | None) -> Tensor:
    """Rows [V_{b+1}, D] of every prefix; without the item table only of a depth above the leaves."""
    rows = network.catalogue.text.new_zeros(0) if item_rows is None else item_rows
    return network.rows(b, rows, "inner", detach=network.training_recipe.stages == "two")


def _some(network: Promise, b: int, index: Tensor) -> Tensor:
    """Rows [.., D] of the prefixes `index` int64 [..] of depth b + 1."""
    rows: PrefixRows = network.prefix_rows["inner"]  # type: ignore[assignment]  # ModuleDict holds Modules
    return rows.some(network.catalogue, network.features, b, index, detach=network.training_recipe.stages == "two")
