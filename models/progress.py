"""Graded rewards of a position's items, and what its prefixes earn by the generator in training (models.labels)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.catalogue import CatalogueTensors
from models.labels import progress_labels, rewards_below, soft_targets, values
from models.recipe import TrainingRecipe

if TYPE_CHECKING:
    from models.network import Promise

DISCOUNT = 0.5  # of every further item that counts as right
GRADE = 0.5  # of an item like the target: at most half of what the target earns
POWER = 8  # of the cosine: text embeddings of unlike items are far from orthogonal
CHUNK = 1024


@dataclass(frozen=True)
class Alike:
    """The nearest other items of every item row by text: items int64 [I+1,S], reward float [I+1,S]; row 0 is empty."""

    items: Tensor
    reward: Tensor

    @staticmethod
    def wanted(catalogue: CatalogueTensors, recipe: TrainingRecipe) -> Alike | None:
        """As the recipe asks; None where its labels have nothing to do with likeness."""
        return Alike.of(catalogue, recipe.alike) if (recipe.labels, recipe.graded) == ("progress", "similar") else None

    @staticmethod
    def of(catalogue: CatalogueTensors, count: int) -> Alike:
        """By cosine; without text nothing is like anything."""
        text = nn.functional.normalize(catalogue.text, dim=1)
        count = min(count, catalogue.items - 1) if text.shape[1] else 0
        items, reward = torch.zeros(len(text), count, dtype=torch.long), torch.zeros(len(text), count)
        for start in range(1, len(text), CHUNK):
            rows = torch.arange(start, min(start + CHUNK, len(text)))
            cosine = text[rows] @ text.T
            cosine[:, 0] = cosine[torch.arange(len(rows)), rows] = -torch.inf
            best = cosine.topk(count)
            items[rows], reward[rows] = best.indices, GRADE * best.values.clamp(0, 1) ** POWER
        return Alike(items, reward)


@dataclass(frozen=True)
class Steps:
    """Of P positions with S slots, per depth 1 .. d: prefixes int64, labels bool, weights float, [P,S] each.

    value: V of the slots' prefixes, float [P,S] for depths 0 .. d. Slot 0 is the true next item.
    """

    prefixes: list[Tensor]
    labels: list[Tensor]
    weights: list[Tensor]
    value: list[Tensor]


def next_rewards(targets: Tensor, where: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Items [P, count] after each position, 0 beyond the end, and rewards [P, count]: DISCOUNT a further step."""
    length = targets.shape[1]
    shifted = [nn.functional.pad(targets[:, j:], (0, min(j, length))) for j in range(count)]
    goals = torch.stack(shifted, -1)[where]
    return goals, DISCOUNT ** torch.arange(count) * (goals > 0)


def alike_rewards(targets: Tensor, where: Tensor, alike: Alike) -> tuple[Tensor, Tensor]:
    """Items [P,1+S]: the next one, which earns 1, and those like it by their text; rewards [P,1+S]."""
    goals = targets[where]
    reward = torch.cat([torch.ones(len(goals), 1), alike.reward[goals]], 1)
    return torch.cat([goals[:, None], alike.items[goals]], 1), reward


def graded(recipe: TrainingRecipe, alike: Alike | None, targets: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """The slots of every position and their rewards, as the recipe grades them."""
    if alike is not None:
        return alike_rewards(targets, where, alike)
    return next_rewards(targets, where, recipe.positives)


@torch.no_grad()
def steps(network: Promise, memory: Tensor, targets: Tensor, where: Tensor) -> Steps:
    """Relative progress at the positions of memory [B,T,D] that `where` [B,T] marks, by the network's generator."""
    recipe, catalogue = network.training_recipe, network.catalogue
    goals, reward = graded(recipe, network.alike, targets, where)
    prefixes = [catalogue.member(b)[goals] for b in range(catalogue.depth)]
    value = values(prefixes, reward, shares(network, memory, where, prefixes))
    labels = progress_labels(value, recipe.epsilon)
    weights = []
    for b, prefix in enumerate(prefixes):
        credit = value[b + 1] if recipe.credit == "value" else rewards_below(prefix, prefixes[-1], reward)
        weights.append(soft_targets(prefix, labels[b], credit))
    return Steps(prefixes, labels, weights, value)


def shares(network: Promise, memory: Tensor, where: Tensor, prefixes: list[Tensor]) -> list[Tensor]:
    """[P,S] per depth: the generator's probability of prefixes int64 [P,S] given those above, as it is served.

    Every prefix is asked for once a position: slots share most of them.
    """
    training, found = network.decoder.training, []
    network.decoder.eval()
    for b, prefix in enumerate(prefixes):
        above = prefixes[b - 1] if b else torch.zeros_like(prefix)
        count = network.catalogue.counts[b - 1] if b else 1
        owner = torch.arange(len(prefix))[:, None] * count
        asked, which = (owner + above).unique(return_inverse=True)
        table = code_shares(network, memory, where, b, asked // count, asked % count)
        found.append(table[which, network.catalogue.prefix_codes(b)[prefix, -1]])
    network.decoder.train(training)
    return found


def code_shares(network: Promise, memory: Tensor, where: Tensor, b: int, position: Tensor, parent: Tensor) -> Tensor:
    """[N,M]: probabilities of the codes after prefixes `parent` int64 [N] of depth b at positions [N], ascending.

    A position is one of those that `where` [B,T] marks, counted in order.
    """
    catalogue, decoder, place = network.catalogue, network.decoder, where.nonzero()[position]
    user, newest = place.T
    codes = catalogue.prefix_codes(b - 1)[parent] if b else parent.new_zeros(len(parent), 0)
    prefix = nn.functional.pad(codes, (0, catalogue.depth - b), value=-1)
    # One block of queries a user: its encoding is read once, not once a position.
    sizes = torch.bincount(user, minlength=len(memory))
    slot = torch.arange(len(user)) - (sizes.cumsum(0) - sizes)[user]
    queries = prefix.new_full((len(memory), int(sizes.max()), catalogue.depth), -1)
    queries[user, slot] = prefix
    until = newest.new_zeros(queries.shape[:2])
    until[user, slot] = newest
    past = torch.arange(memory.shape[1]) <= until[:, :, None]
    level = torch.tensor(b)
    hidden = decoder.hidden(decoder.query(queries, level), memory, past[:, None])[user, slot].float()
    logits = hidden @ decoder.level_head(level).float().T
    return logits.masked_fill(~catalogue.next_codes(b, parent), -torch.inf).softmax(-1)
