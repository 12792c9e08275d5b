"""Fit the votes: every head on a bootstrap of the users, over the finished network whose dropout stays on.

A head sees the positions of a user as often as a Poisson(1) draw says, which is a bootstrap of the users where there
are many; and only a share of a step's positions, since sixteen softmaxes over all leaves would cost sixteen times the
training of the reward itself. The network does not learn any more.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.batches import scoring_batches
from models.dataset import Split
from models.layers import causal_mask
from models.network import Promise
from models.prm_losses import depth_loss, next_items
from models.recipe import VotesRecipe
from models.saving import save
from models.training import Log
from models.votes.bundled import Calibrated
from models.votes.calibrating import temperatures
from models.votes.network import Votes

I32 = NDArray[np.int32]
WARMUP = 20  # steps
NEVER = 1e-9  # weight of a user that a head's bootstrap left out: a step of such users alone must draw someone


class Batch(NamedTuple):
    """users int64 [B], their items and next items int64 [B,T], 0 = padding on the right."""

    users: Tensor
    items: Tensor
    targets: Tensor


class Step(NamedTuple):
    """What a batch says at its P positions: contexts [d,P,D], next items int64 [P,m] with weights [P,m], the rows of
    all items [I+1,D] unless softmaxes are sampled, and how often a head's bootstrap drew a position's user, [P,M].
    """

    contexts: Tensor
    goals: Tensor
    weights: Tensor
    item_rows: Tensor | None
    drawn: Tensor


def fitted(
    network: Promise,
    split: Split,
    recipe: VotesRecipe,
    file: Path,
    seed: int,
    log: Log,
    temperature: tuple[float, ...] | None = None,
) -> Calibrated:
    """Votes of this network, with this temperature or one fitted to validation items; kept in `file`, read from there.

    A network that trained on the validation items, that of setting B, must be given its temperature.
    """
    model = Votes(network.catalogue.depth, network.recipe.width, recipe)
    if file.exists():
        kept = torch.load(file, weights_only=True)
        model.load_state_dict(kept["model"])
        return Calibrated(model.eval(), tuple(kept["temperature"]))
    model = fit(network, split.train, recipe, seed, log)
    found = Calibrated(model, temperature or temperatures(network, model, split.validation, recipe))
    log(f"votes: temperatures {' '.join(f'{each:.3f}' for each in found.temperature)}")
    save({"model": model.state_dict(), "temperature": list(found.temperature)}, file)
    return found


def fit(network: Promise, sequences: list[I32], recipe: VotesRecipe, seed: int, log: Log = lambda _: None) -> Votes:
    """Cross entropy of the true prefix among all valid ones of its depth, for every head on its own positions."""
    torch.manual_seed(seed)
    assert network.inner is not None
    model = Votes(network.catalogue.depth, network.recipe.width, recipe)
    poisson = torch.from_numpy(np.random.default_rng(seed).poisson(1.0, (len(sequences), recipe.heads)))
    drawn = poisson.float().clamp(min=NEVER)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    rng, batches = np.random.default_rng((seed, 1)), list(_batches(sequences, recipe.users, network.recipe.history))
    order = np.concatenate([rng.permutation(len(batches)) for _ in range(recipe.epochs)])
    network.requires_grad_(False).train()
    for number, place in enumerate(order):
        loss = _loss(network, model, _step(network, batches[place], recipe, drawn))
        rate = min(1.0, (number + 1) / WARMUP) * 0.5 * (1 + np.cos(np.pi * number / len(order)))
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if number % 50 == 0 or number == len(order) - 1:
            log(f"votes: step {number + 1} of {len(order)}, loss {loss.item():.4f}")
    network.requires_grad_(True).eval()
    return model.eval()


def _batches(sequences: list[I32], users: int, history: int) -> Iterator[Batch]:
    """Users of like length together."""
    usable = np.array([user for user, sequence in enumerate(sequences) if len(sequence) > 1])
    for chosen, padded, _ in scoring_batches([sequences[user] for user in usable], users, history + 1):
        items, targets = padded[:, :-1].clone(), padded[:, 1:]
        items[targets == 0] = 0
        yield Batch(torch.from_numpy(usable[chosen]), items, targets)


@torch.no_grad()
def _step(network: Promise, batch: Batch, recipe: VotesRecipe, drawn: Tensor) -> Step:
    """Run the network, without a gradient, at all positions of a batch."""
    assert network.inner is not None
    where = batch.targets > 0
    rows = None if network.proposals else network.features.rows(network.catalogue)
    memory, mask = network.encode(batch.items, rows), causal_mask(batch.items.shape[1])
    levels = range(network.catalogue.depth)
    contexts = torch.stack([network.inner.contexts(memory, memory, b, mask)[where] for b in levels])
    goals, weights = next_items(batch.targets, where, recipe.positives)
    return Step(contexts, goals, weights, rows, drawn[batch.users].repeat_interleave(where.sum(1), 0))


def _loss(network: Promise, model: Votes, step: Step) -> Tensor:
    """Summed over depths: the mean over heads of what each says of its own positions, and the interest query's."""
    positions, heads = step.drawn.shape
    count = max(1, round(model.recipe.share * positions))
    own = torch.multinomial(step.drawn.T, count, replacement=True)  # [M,n]
    ahead = torch.randperm(positions)[: 2 * count]
    first = step.goals[own.flatten(), :1]
    losses = []
    for b, contexts in enumerate(step.contexts):
        member = network.catalogue.member(b)
        said = torch.cat([model.of_head(contexts[at], b, head) for head, at in enumerate(own)])
        losses.append(depth_loss(network, said, b, step.item_rows, member[first], torch.ones_like(first)))
        said = model.of_head(contexts[ahead], b, heads)
        losses.append(depth_loss(network, said, b, step.item_rows, member[step.goals[ahead]], step.weights[ahead]))
    return torch.stack(losses).sum()
